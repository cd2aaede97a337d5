"""In: an answer to an exercise. Out: a verdict that says what is wrong."""

from adamlib.check.chapter_01 import best_lr
from adamlib.check.chapter_02 import epoch_batches
from adamlib.check.chapter_03 import momenta_inside
from adamlib.check.chapter_04 import centered
from adamlib.check.chapter_05 import adam_rule
from adamlib.check.chapter_06 import corrected_mean
from adamlib.check.chapter_07 import properties
from adamlib.check.chapter_08 import beats, crown
from adamlib.check.chapter_09 import best_of_k, interval
from adamlib.check.chapter_10 import adopt
from adamlib.check.chapter_11 import cautious
from adamlib.check.chapter_12 import edge
from adamlib.check.chapter_13 import signum
from adamlib.check.chapter_14 import trapezoid
from adamlib.check.chapter_15 import clipped
from adamlib.check.chapter_16 import rounded
from adamlib.check.chapter_17 import zero_step
from adamlib.check.chapter_18 import polar
