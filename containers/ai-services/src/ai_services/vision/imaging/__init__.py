"""From the bytes of a file to pixels, and between sizes of a picture. Nothing here knows a model."""
