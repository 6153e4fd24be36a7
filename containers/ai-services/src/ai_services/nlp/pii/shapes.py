"""The regular expressions of personal data, over folded text. All are bounded, so that time stays linear."""

from __future__ import annotations

# Digits that no group of digits stands before or after.
_ALONE = r"(?<![0-9-])(?<![0-9] )"
_NOT_ON = r"(?! ?[0-9-])"
_EDGE = r"(?<![0-9-])"
_END = r"(?![0-9-])"

EMAIL = (
    r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+'-]{1,64}"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,8}[A-Za-z]{2,24}(?![A-Za-z0-9-])"
)
URL = r"https?://[^\s<>\"'「」（）()、。]{3,2000}"
IPV4 = r"(?<![0-9.])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![0-9]|\.[0-9])"
IPV6 = r"(?<![0-9A-Fa-f:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![0-9A-Fa-f:])"

LOGIN_URL = r"(?<![a-z0-9+.-])[a-z][a-z0-9+.-]{1,20}://[^\s/@:]{1,256}:[^\s/@]{1,256}@[^\s/?#]{1,256}"
ISSUED_KEY = (
    r"\b(?:AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{22,255}|"
    r"xox[abprs]-[A-Za-z0-9-]{10,255}|sk-[A-Za-z0-9_-]{20,255}|AIza[0-9A-Za-z_-]{35}|"
    r"eyJ[A-Za-z0-9_-]{10,2000}\.eyJ[A-Za-z0-9_-]{10,4000}\.[A-Za-z0-9_-]{10,2000})"
)
PRIVATE_KEY = (
    r"-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----[A-Za-z0-9+/=\s]{1,20000}-----END [A-Z ]{0,20}PRIVATE KEY-----"
)

IBAN = r"(?<![A-Za-z0-9])[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]){11,30}(?![A-Za-z0-9])"
MY_NUMBER = _ALONE + r"(?:[0-9]{12}|[0-9]{4} [0-9]{4} [0-9]{4}|[0-9]{4}-[0-9]{4}-[0-9]{4})" + _NOT_ON
CORPORATE_NUMBER = _ALONE + r"T?[0-9](?:[ -]?[0-9]{4}){3}" + _NOT_ON
CARD = (
    _ALONE + r"(?:[0-9]{4}[ -][0-9]{4}[ -][0-9]{4}[ -][0-9]{4}(?:[ -][0-9]{3})?|"
    r"[0-9]{4}[ -][0-9]{6}[ -][0-9]{4,5}|[0-9]{13,19})" + _END
)
US_SSN = _EDGE + r"[0-9]{3}-[0-9]{2}-[0-9]{4}" + _END

INTERNATIONAL_PHONE = r"(?<![0-9+])\+[0-9]{1,3}(?:[ .-]?\(?[0-9]{1,5}\)?){2,5}(?![0-9])"
JAPANESE_PHONE = _EDGE + r"(?:\(0[0-9]{1,4}\) ?|0[0-9]{1,4}[-( ])[0-9]{1,4}[-) ][0-9]{3,4}" + _END
JAPANESE_PHONE_PLAIN = _EDGE + r"0[0-9]{9,10}" + _END
US_PHONE = _EDGE + r"(?:\([0-9]{3}\) ?|[0-9]{3}[-. ])[0-9]{3}[-. ][0-9]{4}" + _END

POSTAL_JAPAN_MARKED = r"〒 ?[0-9]{3}-?[0-9]{4}" + _END
POSTAL_JAPAN = _EDGE + r"[0-9]{3}-[0-9]{4}" + _END
POSTAL_US = r"\b[A-Z]{2} ([0-9]{5}(?:-[0-9]{4})?)" + _END
POSTAL_UK = r"\b[A-Z]{1,2}[0-9][A-Z0-9]? [0-9][ABD-HJLNP-UW-Z]{2}\b"

_PREFECTURES = (
    "北海道|東京都|(?:京都|大阪)府|(?:青森|岩手|宮城|秋田|山形|福島|茨城|栃木|群馬|埼玉|千葉|神奈川|新潟|"
    "富山|石川|福井|山梨|長野|岐阜|静岡|愛知|三重|滋賀|兵庫|奈良|和歌山|鳥取|島根|岡山|広島|山口|徳島|香川|"
    "愛媛|高知|福岡|佐賀|長崎|熊本|大分|宮崎|鹿児島|沖縄)県"
)
_KANA_TOWNS = (
    "さいたま|つくばみらい|つくば|いわき|ひたちなか|かすみがうら|うるま|みどり|さくら|たつの|あわら|"
    "むつ|いすみ"
)
_TOWN = rf"(?:{_KANA_TOWNS}|[一-龥々ヶケ]{{1,5}})[市区町村郡]"
_NUMBER = r"(?:[0-9]{1,4}|[一二三四五六七八九十]{1,3})(?:丁目|番地?|号|[-ーの])?"
_ROOM = (
    r"[ ]?[一-龥ァ-ヶーA-Za-z]{2,15}(?:ビル|マンション|タワー|ハイツ|コーポ|荘|館)?"
    r"[ ]?[0-9]{1,4}(?:号室|階|F)"
)
ADDRESS_JAPAN = (
    rf"(?:(?:{_PREFECTURES})[^\s、。,，0-9]{{1,20}}|{_TOWN}[^\s、。,，0-9はがをに]{{1,15}})"
    rf"{_NUMBER}(?:{_NUMBER}){{0,3}}(?:{_ROOM})?"
)
ADDRESS_STREET = (
    r"\b[0-9]{1,6}(?:-[0-9]+)? (?:[NSEW]\.? )?(?:[A-Z][A-Za-z'.]+ |[0-9]+(?:st|nd|rd|th) ){1,4}"
    r"(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Square|Sq|Way|Place|Pl|"
    r"Terrace|Parkway|Pkwy|Highway|Hwy)\b\.?(?:,? (?:Apt|Suite|Ste|Unit|Floor|#)\.? ?[0-9A-Za-z-]{1,6})?"
)
