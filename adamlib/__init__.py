"""The code of the book *The Road to Adam*.

Each update rule is written once, in `adamlib.rules`, as a pure function. That one text is shown in
the chapters, walks over a surface of two variables (`adamlib.descent`, NumPy) and trains a network
(`adamlib.optim`, PyTorch). Import the module you need: the NumPy half never imports torch.
"""
