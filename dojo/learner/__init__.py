"""What a learner has done and sees."""
