"""Real hosts to test on: a distribution of its own with systemd as PID 1, a network of its own, and a user `ai`."""
