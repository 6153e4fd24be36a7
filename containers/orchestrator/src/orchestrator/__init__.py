"""The public API of an environment: gateway, jobs, health and metrics of all services."""
