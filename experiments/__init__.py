"""In: the name of an experiment. Out: adamlib/results/NAME.json, which the chapters draw."""
