"""`python -m ai_semble_client`: the client's own commands, whatever else is installed."""

from ai_semble_client.cli.app import create_cli

if __name__ == "__main__":
    create_cli()(prog_name="ai-semble")
