"""What is wrong with a face picture and what to do, Vietnamese and English side by side, by reason code."""

from __future__ import annotations

from typing import Literal, NamedTuple

Language = Literal["vi", "en"]


class Texts(NamedTuple):
    """One reason: what is wrong, and what the person can do, in both languages."""

    vi: str
    en: str
    advice_vi: str
    advice_en: str


TEXTS: dict[str, Texts] = {
    "too_dark": Texts(
        "quá tối",
        "too dark",
        "hãy ra chỗ sáng hơn hoặc bật thêm đèn phía trước mặt",
        "move to a brighter place or add a light in front of the face",
    ),
    "too_bright": Texts(
        "quá sáng, mặt bị cháy sáng",
        "too bright, the face is washed out",
        "hãy tránh nắng gắt hoặc đèn chiếu thẳng vào mặt",
        "keep out of strong sun or a lamp aimed at the face",
    ),
    "uneven_light": Texts(
        "ánh sáng không đều, một bên mặt bị tối",
        "uneven light, one side of the face is dark",
        "hãy quay mặt về phía nguồn sáng",
        "turn to face the light",
    ),
    "blurred": Texts(
        "ảnh bị mờ",
        "blurred",
        "hãy giữ yên máy, lau ống kính và chụp lại",
        "hold still, wipe the lens and take the picture again",
    ),
    "low_contrast": Texts(
        "độ tương phản thấp, nét mặt không rõ",
        "low contrast, the features are faint",
        "hãy lau ống kính và tránh để nguồn sáng phía sau lưng",
        "wipe the lens and keep lights out from behind you",
    ),
    "too_small": Texts(
        "mặt quá nhỏ",
        "the face is too small",
        "hãy lại gần máy hơn",
        "come closer to the camera",
    ),
    "turned": Texts(
        "mặt quay sang một bên",
        "the face is turned to one side",
        "hãy quay mặt thẳng vào máy",
        "look straight into the camera",
    ),
    "looking_up": Texts(
        "mặt ngẩng lên",
        "the face looks up",
        "hãy hạ cằm xuống và nhìn thẳng vào máy",
        "lower the chin and look straight into the camera",
    ),
    "looking_down": Texts(
        "mặt cúi xuống",
        "the face looks down",
        "hãy ngẩng đầu lên và nhìn thẳng vào máy",
        "raise the head and look straight into the camera",
    ),
    "tilted": Texts(
        "đầu bị nghiêng",
        "the head is tilted",
        "hãy giữ đầu thẳng, không nghiêng sang vai",
        "hold the head upright, not towards a shoulder",
    ),
    "cut_off": Texts(
        "mặt bị cắt khỏi khung hình",
        "part of the head is outside the picture",
        "hãy đưa cả khuôn mặt vào giữa khung hình",
        "bring the whole head into the middle of the picture",
    ),
    "mouth_covered": Texts(
        "miệng có vẻ bị che",
        "the mouth seems to be covered",
        "hãy bỏ khẩu trang, khăn hoặc tay che miệng",
        "take off the mask or scarf, or move the hand away",
    ),
    "eyes_covered": Texts(
        "mắt có vẻ bị che",
        "the eyes seem to be covered",
        "hãy bỏ kính râm và vén tóc khỏi mắt",
        "take off sunglasses and move hair away from the eyes",
    ),
    "face_unclear": Texts(
        "khuôn mặt không rõ",
        "the face is not clear",
        "hãy nhìn thẳng vào máy, không che mặt, ở nơi đủ sáng",
        "look straight into the camera, with nothing over the face, in good light",
    ),
    "poor_overall": Texts(
        "chất lượng ảnh chung quá thấp",
        "the picture is too poor overall",
        "hãy chụp lại: gần hơn, sáng hơn và nhìn thẳng vào máy",
        "take another picture: closer, brighter, looking straight into the camera",
    ),
}
