"""How good predictions are: of labels, probabilities, scores, numbers and translations."""

__all__: list[str] = []
