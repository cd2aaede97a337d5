"""In: model, data, optimizer. Out: a run that survives and spreads."""
