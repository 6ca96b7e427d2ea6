"""What the learner reads."""
