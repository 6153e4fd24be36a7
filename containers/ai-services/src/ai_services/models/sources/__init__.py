"""Where model files come from: package registries, hubs, web servers and the user's own disk."""
