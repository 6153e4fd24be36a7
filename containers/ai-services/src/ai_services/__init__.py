"""The services that compute: language model, vision, language processing, and the models they open."""

__version__ = "2.0.0"
