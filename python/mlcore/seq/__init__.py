"""From one sequence to another: Seq2Seq, Transformer and language models as estimators."""

__all__: list[str] = []
