"""The trainer (`_trainer`) and its parts: batches, steps, early stopping, averaged weights, checkpoints, history."""
