"""What happened: Celery's events, and who waits for what."""
