"""What the code runs on: brokers, settings, workers and beat."""
