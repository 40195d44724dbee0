"""Modules (`_module`), the layers under PyTorch's names, containers, losses, and files of their weights."""
