"""The shop's book of incidents, given. Somebody reads it every morning."""

book = []  # one entry for each incident, such as ("4f0c…", "ValueError('…')", "Traceback …")


def write(task_id, error, traceback):
    """Write one incident down, as three texts. It raises an error when the disk is full, say."""
    book.append((task_id, error, traceback))
