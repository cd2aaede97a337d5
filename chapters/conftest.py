"""What nbval does not compare: figures, whose bytes depend on fonts, and the progress bar."""


def pytest_collectstart(collector):
    """Nothing; nbval's own list leaves out PNG but neither SVG nor stderr."""
    if hasattr(collector, "skip_compare"):
        collector.skip_compare += ("image/svg+xml", "stderr")
