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
        code="no_expert",
        why=Line(
            vi="Nhận ra loại ảnh này, nhưng không có mô hình nào ở đây trả lời được.",
            en="This kind of picture is known, but no model here answers for it.",
        ),
        crop=Line(
            vi="Xem các mô hình hiện có bằng lệnh: vnvision models list. Cây khác thì hỏi cán bộ khuyến "
            "nông.",
            en="See which models there are with: vnvision models list. For another crop ask the extension "
            "officer.",
        ),
        clinic=Line(
            vi="Bác sĩ đọc ảnh này, không dùng mô hình. Xem các mô hình hiện có bằng lệnh: "
            "vnvision models list.",
            en="A doctor reads it without a model. See which models there are with: vnvision models list.",
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
    Reason(
        code="looks_healthy",
        why=Line(
            vi="Trên lá hầu như không thấy vết bệnh, mà mô hình chỉ biết lá bệnh, chưa từng học lá khỏe.",
            en="Hardly a lesion is seen on the leaf, and the model knows diseased leaves alone: it never "
            "learned a healthy one.",
        ),
        crop=Line(
            vi="Đừng xem đây là lời khẳng định lá khỏe: bệnh mới chớm hoặc làm vàng cả lá cũng có thể trông "
            "như vậy. Nếu có vết, chụp lại gần hơn; nếu lo, hỏi cán bộ khuyến nông.",
            en="Do not take this for a healthy leaf: a disease that has just begun, or that yellows the "
            "whole leaf, can look so too. If there is a lesion take it again, closer; if in doubt ask the "
            "extension officer.",
        ),
        clinic=Line(
            vi="Ảnh không cho thấy vùng tổn thương nào để mô hình đánh giá. Bác sĩ đọc ảnh này.",
            en="The picture shows no lesion for the model to judge. A doctor reads it.",
        ),
    ),
)


def reason(code: str) -> Reason | None:
    """The texts of a reason code, or None for a code without texts: then show the code itself."""
    return next((one for one in REASONS if one.code == code), None)
