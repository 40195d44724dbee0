"""scikit-learn estimators around any network: what both share is in `_base`."""
