"""Whole tasks in one call: train, unlearn, evaluate, generate. The command line calls these and nothing else."""
