"""The run survives what a learner's code does."""
