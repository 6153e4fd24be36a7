"""The vision service: labels, objects, text, faces, safety and vectors of pictures."""
