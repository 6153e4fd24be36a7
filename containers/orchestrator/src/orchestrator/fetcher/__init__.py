"""The one way in which a URL from a request is fetched."""
