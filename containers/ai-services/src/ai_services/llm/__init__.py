"""The language model service: completions, OpenAI's surface, and the engines that answer."""
