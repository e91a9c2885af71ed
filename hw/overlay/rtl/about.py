"""What the hardware keeps of a program's header."""

from amaranth.lib import data

from hw.overlay.hardware import Overlay


def about(overlay: Overlay) -> data.StructLayout:
    """The numbers of a header that the hardware keeps."""
    address, length = (overlay.words - 1).bit_length(), (overlay.program_words - 1).bit_length()
    return data.StructLayout(
        {
            "suffix": length,
            "rows": 2,
            "columns": 2,
            "height": 8,
            "width": 8,
            "channels": 12,
            "image_address": address,
            "image_step": address,
            "plane_words": address,
            "pitch_y": 7,
            "pitch_x": 7,
        }
    )
