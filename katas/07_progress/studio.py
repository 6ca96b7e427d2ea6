"""The studio's renderer. Given, complete: leave it as it is."""


class BadPhoto(ValueError):
    """The file of a photo is damaged."""


def render(photo_id):
    """Render one photo; return the path of the file. Photos below 1 are damaged."""
    before_photo(photo_id)
    if photo_id < 1:
        raise BadPhoto(f"photo {photo_id} is damaged")
    return f"photo-{photo_id}.jpg"


def before_photo(photo_id):
    """Do nothing. The tests put a function here, to look at an album while it is made."""
