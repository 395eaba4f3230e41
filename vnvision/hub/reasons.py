"""Why a model gave no answer, and what to do next, in both languages.

The codes are those a ``Predictor`` writes into ``reasons`` of a prediction that abstained.
"""

from __future__ import annotations

from vnvision.errors import ConfigError
from vnvision.hub.library import Domain, Language, checked_language
from vnvision.spec import Record


class Line(Record):
    """One line in both languages."""

    vi: str
    en: str

    def text(self, language: Language) -> str:
        """The line in one language."""
        return str(getattr(self, checked_language(language)))


class Reason(Record):
    """Why there is no answer, and what the user can do, by domain."""

    code: str
    why: Line
    crop: Line
    clinic: Line

    def next_step(self, domain: Domain, language: Language) -> str:
        """What to do next, on a farm or in a clinic.

        Raises:
            ConfigError: an unknown domain or language.
        """
        if domain not in ("crop", "clinic"):
            raise ConfigError("unknown domain", expected="crop or clinic", got=repr(domain))
        line: Line = getattr(self, domain)
        return line.text(language)


REASONS: tuple[Reason, ...] = (
    Reason(
        code="low_confidence",
        why=Line(
            vi="Mô hình không đủ chắc chắn để trả lời.",
            en="The model is not sure enough to answer.",
        ),
        crop=Line(
            vi="Chụp lại một lá, gần hơn, ngoài sáng, giữ chắc tay. Nếu vẫn vậy, đem lá đến hỏi cán bộ "
            "khuyến nông.",
            en="Photograph one leaf again, closer, in daylight, holding still. If it stays so, take the "
            "leaf to the extension officer.",
        ),
        clinic=Line(
            vi="Bác sĩ đọc ảnh này như khi không có mô hình. Không có câu trả lời không có nghĩa là bình "
            "thường.",
            en="A doctor reads this picture as if there were no model. No answer does not mean normal.",
        ),
    ),
    Reason(
        code="out_of_scope",
        why=Line(
            vi="Ảnh không giống loại ảnh mà mô hình đã học.",
            en="The picture is unlike those the model has learned from.",
        ),
        crop=Line(
            vi="Kiểm tra xem có đúng loại cây và đúng là ảnh lá không. Chụp một lá cho gần đầy khung hình."
            " Cây khác hoặc bệnh lạ thì hỏi cán bộ khuyến nông.",
            en="Check that it is the right crop and shows a leaf. Let one leaf nearly fill the frame. For "
            "another crop or a strange disease ask the extension officer.",
        ),
        clinic=Line(
            vi="Kiểm tra xem có đúng loại ảnh và đúng bộ phận không. Nếu đúng, bác sĩ đọc ảnh, không dùng "
            "mô hình.",
            en="Check that it is the right kind of image and body part. If so, a doctor reads it without "
            "the model.",
        ),
    ),
    Reason(
        code="too_blurred",
        why=Line(vi="Ảnh quá mờ.", en="The picture is too blurred."),
        crop=Line(
            vi="Lau ống kính, giữ chắc tay hoặc tì vào vật cứng, chạm vào lá trên màn hình để lấy nét rồi "
            "chụp lại.",
            en="Wipe the lens, hold still or lean on something firm, tap the leaf on the screen to focus, "
            "and take it again.",
        ),
        clinic=Line(
            vi="Lấy nét và chụp lại, hoặc xuất lại ảnh gốc từ máy. Nếu không chụp lại được, hãy hỏi bác sĩ.",
            en="Focus and take it again, or export the original from the device. If that is impossible, "
            "ask the doctor.",
        ),
    ),
    Reason(
        code="too_dark",
        why=Line(vi="Ảnh quá tối.", en="The picture is too dark."),
        crop=Line(
            vi="Chụp lại ban ngày ở chỗ sáng, đừng để bóng tay hay bóng người che lá.",
            en="Take it again in daylight, without the shadow of your hand or body on the leaf.",
        ),
        clinic=Line(
            vi="Tăng sáng rồi chụp lại, hoặc xuất lại ảnh gốc từ máy. Nếu không chụp lại được, hãy hỏi bác"
            " sĩ.",
            en="Add light and take it again, or export the original from the device. If that is "
            "impossible, ask the doctor.",
        ),
    ),
    Reason(
        code="too_bright",
        why=Line(vi="Ảnh quá sáng, mất chi tiết.", en="The picture is too bright, details are lost."),
        crop=Line(
            vi="Tránh nắng gắt và đèn chớp: che cho lá nằm trong bóng râm sáng rồi chụp lại.",
            en="Avoid harsh sun and flash: shade the leaf evenly and take it again.",
        ),
        clinic=Line(
            vi="Giảm sáng rồi chụp lại, hoặc xuất lại ảnh gốc từ máy. Nếu không chụp lại được, hãy hỏi bác"
            " sĩ.",
            en="Reduce the light and take it again, or export the original from the device. If that is "
            "impossible, ask the doctor.",
        ),
    ),
)


def reason(code: str) -> Reason | None:
    """The texts of a reason code, or None for a code without texts: then show the code itself."""
    return next((one for one in REASONS if one.code == code), None)
