"""In: the name of an experiment. Out: results/NAME.json, which the chapters draw."""
