"""What a language model runs on: llama.cpp in a process of our own, or any OpenAI-compatible server."""
