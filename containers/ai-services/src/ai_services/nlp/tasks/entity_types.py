"""The models' own labels in the types that we answer: OntoNotes (English), Sekine's hierarchy (Japanese)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ai_semble.schemas.nlp import EntityType

_LABELS: Mapping[EntityType, str] = {
    EntityType.PERSON: "PERSON Person God Character",
    EntityType.ORG: (
        "ORG Organization_Other Company Company_Group Corporation_Other International_Organization "
        "Show_Organization Sports_Organization_Other Pro_Sports_Organization Sports_League "
        "Political_Organization_Other Political_Party Government Cabinet Military Public_Institution "
        "School Research_Institute Name_Other"
    ),
    EntityType.GROUP: "NORP Nationality Ethnic_Group_Other Family Religion",
    EntityType.LOCATION: (
        "GPE LOC City County Province Country GPE_Other Location_Other Region_Other Continental_Region "
        "Domestic_Region Geological_Region_Other Spa Mountain Island River Lake Sea Bay Postal_Address "
        "Astral_Body_Other Planet Constellation"
    ),
    EntityType.FACILITY: (
        "FAC GOE_Other Facility_Other Facility_Part Park Sports_Facility Museum Zoo Amusement_Park "
        "Theater Worship_Place Car_Stop Station Airport Port Line_Other Railroad Road Canal Water_Route "
        "Tunnel Bridge Archaeological_Place_Other Tumulus"
    ),
    EntityType.PRODUCT: (
        "PRODUCT Product_Other Material Clothing Money_Form Drug Weapon Award Class Game Vehicle_Other "
        "Car Train Aircraft Spaceship Ship Food_Other Dish"
    ),
    EntityType.WORK: (
        "WORK_OF_ART Art_Other Broadcast_Program Movie Show Music Book Printing_Other Newspaper Magazine"
    ),
    EntityType.EVENT: (
        "EVENT Event_Other Occasion_Other Religious_Festival Conference Incident_Other War "
        "Natural_Phenomenon_Other Natural_Disaster Earthquake Movement Sport"
    ),
    EntityType.LAW: "LAW Rule_Other Treaty Law Offense",
    EntityType.LANGUAGE: "LANGUAGE Language_Other National_Language",
    EntityType.TITLE: "Title_Other Position_Vocation",
    EntityType.DATE: (
        "DATE Date Day_Of_Week Era Timex_Other Periodx_Other Period_Day Period_Week Period_Month Period_Year"
    ),
    EntityType.TIME: "TIME Time Time_Top_Other Period_Time",
    EntityType.MONEY: "MONEY Money",
    EntityType.PERCENT: "PERCENT Percent",
    EntityType.QUANTITY: (
        "QUANTITY Measurement_Other Physical_Extent Space Volume Weight Speed Intensity Temperature "
        "Calorie Age School_Age Multiplication Frequency Point"
    ),
    EntityType.NUMBER: (
        "CARDINAL ORDINAL Numex_Other Ordinal_Number Rank Countx_Other N_Person N_Organization "
        "N_Location_Other N_Country N_Facility N_Product N_Event N_Animal N_Flora N_Natural_Object_Other "
        "Latitude_Longtitude"
    ),
    EntityType.CONTACT: "Phone_Number Email URL ID_Number pattern",
}
_TYPES = {label: kind for kind, labels in _LABELS.items() for label in labels.split()}
# GiNZA takes a prefecture with its ward or town for a facility: 東京都千代田区 is a place.
_PLACE = re.compile(r"[都道府県市区町村郡州島]$")


def type_of(label: str, text: str) -> EntityType:
    """The type for a model's label; OTHER for what has none of its own (animals, substances, colours...)."""
    kind = _TYPES.get(label, EntityType.OTHER)
    if label == "GOE_Other" and _PLACE.search(text):
        return EntityType.LOCATION
    return kind
