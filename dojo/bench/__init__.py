"""Fair timing of attention, of katas and of training."""
