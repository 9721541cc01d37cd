"""The search for better options: other trainings tried one after the other, the best kept as the run."""
