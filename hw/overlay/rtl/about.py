"""What the hardware keeps of a program's header."""

from amaranth.lib import data

from hw.overlay.hardware import Overlay


def about(overlay: Overlay) -> data.StructLayout:
    """The numbers of `hw.overlay.header.KEPT`, and whether it is streamed."""
    address, length = (overlay.words - 1).bit_length(), (overlay.program_words - 1).bit_length()
    return data.StructLayout(
        {
            "streamed": 1,
            "suffix": length,
            "rows": 2,
            "columns": 2,
            "height": 8,
            "width": 8,
            "channels": 12,
            "image_step": address,
            "wrap_y": 7,
            "wrap_x": 7,
        }
    )
