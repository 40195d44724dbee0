"""Tensors: the tape (`_tape`) that records what is done with them, and their operators, each with its gradient."""
