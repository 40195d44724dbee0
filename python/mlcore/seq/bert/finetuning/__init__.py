"""A BERT with a head, trained on labelled texts: `_base` is what all share, `_classifier` and `_regressor` are two."""
