"""Speed and memory, measured against peers in the same run and told as ratios.

./scripts/run-tests.sh load [--quick] [gateway jobs llm vision nlp data memory]
"""
