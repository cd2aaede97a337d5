"""In: a rule's text, many tensors. Out: a fast step over all of them."""
