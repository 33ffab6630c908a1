"""Words by which names of columns and tables speak of persons, in the languages that tables are written in.

Words stand folded: in lower case, without accents, as ``folded`` makes them.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

PersonalKind = Literal[
    "name", "first_name", "last_name", "user_name", "email", "phone", "street", "postcode", "iban", "card", "code",
    "ip", "birth_date",
]  # fmt: skip

_SPELLED = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "\u0131": "i"})

_WORDS: dict[PersonalKind, str] = {
    "email": "email|e mail|mail|emailaddress|email address|e mail address|emailid|courriel|correo|mailadresse"
    "|e mail adresse|epost|e post|eposta|e posta|posta elettronica|почта|эл почта|электронная почта|邮箱|電子郵件"
    "|メール|メールアドレス|이메일|البريد الالكتروني",
    "phone": "phone|telephone|telefon|telefono|telefone|tel|tel no|mobile|mobile no|cell|cellphone|cellulare|celular"
    "|handy|fax|msisdn|contact no|contact number|portable|movil|telemovel|telemobil|tlf|mobil|cep telefonu|gsm|电话"
    "|手机|電話|電話番号|携帯電話|전화번호|전화|휴대폰|هاتف|رقم الهاتف|جوال",
    "birth_date": "birth|birthdate|birthday|birth date|date of birth|dateofbirth|dob|bday|bdate|born|gebdat|geb datum"
    "|geb dat|date naissance|data nascita|dogum tarihi|d o b|出生日期|生日|生年月日|생년월일|تاريخ الميلاد",
    "first_name": "first name|firstname|fname|given name|givenname|given names|forename|middle name|middlename"
    "|christian name|rufname|imie|imiona|utonev|prenume|отчество|имя отчество|名字|이름|الاسم الاول",
    "last_name": "last name|lastname|lname|surname|family name|familyname|maiden name|familienname|zuname|nom famille"
    "|nom de famille|primer apellido|segundo apellido|姓|姓氏|اللقب|اسم العائلة|прізвище",
    "name": "person name|patient name|customer name|client name|contact name|employee name|contact"
    "|contact person|next of kin|account holder|cardholder|holder name|guardian|physician|doctor|doctor name"
    "|arzt|hausarzt|teacher name|ansprechpartner|kontoinhaber|nome e cognome"
    "|nombre y apellidos|imie i nazwisko|ad soyad|adi soyadi|фио|姓名|氏名|お名前|성명|الاسم الكامل",
    "user_name": "username|user name|login|loginname|screen name|nickname|handle|benutzername|nutzername|логин|用户名",
    "street": "street|street address|address|addr|address line|address line 1|address 1|address1|home address"
    "|strasse|anschrift|adresse|adres|adress|gatuadress|rue|direccion|domicilio|calle|indirizzo|via|morada|endereco"
    "|ulica|ulice|adresa|lakcim|osoite|katuosoite|straat|адрес|улица|διευθυνση|地址|住址|住所|주소|العنوان",
    "postcode": "zip|zipcode|zip code|postcode|post code|postal code|postalcode|plz|postleitzahl|code postal"
    "|codigo postal|cap|pincode|pin code|eircode|postnummer|postnr|kod pocztowy|psc|iranyitoszam|postinumero|cep"
    "|posta kodu|cod postal|индекс|почтовый индекс|邮编|郵便番号|우편번호",
    "iban": "iban|bban|bank account|bankaccount|account iban|kontonummer|numero de compte|rekeningnummer|银行账号",
    "card": "credit card|creditcard|card number|cardnumber|credit card number|pan number|kreditkarte|kartennummer",
    "code": "ssn|social security|social security number|national id|nationalid|national insurance|nino|passport"
    "|passport number|passport no|tax id|taxid|tin|steuernummer|steuer id|sozialversicherungsnummer|bsn|cpf|dni|nif|nie"
    "|curp|aadhaar|pesel|personnummer|codice fiscale|drivers license|driver license|driving licence|licence plate"
    "|license plate|kennzeichen|vin|nhs number|mrn|medical record number|health card|insurance number"
    "|versichertennummer|ausweisnummer|personalausweis|nir|rodne cislo|cnp|henkilotunnus|hetu|fodselsnummer|cpr|cpr nr"
    "|tc kimlik|tc kimlik no|паспорт|инн|снилс|身份证|身份证号|護照號碼|주민등록번호|kenteken|matricula",
    "ip": "ip|ip address|ipaddress|ipv4|ipv6",
}  # fmt: skip
_STEMS: dict[PersonalKind, str] = {
    "phone": "telefon telephon telefoon telefonn telefono puhelin телефон τηλεφων rufnummer handynummer handynr"
    " mobilnummer mobilnr mobielnummer phonenumber phoneno phonenr",
    "birth_date": "geburtsdat geburtstag geboren geboortedat fodelsedat fodelsedag fodselsdat fodselsdag szuletesi"
    " narozen urodzenia рождени народженн γεννησ nasciment nacimient naissance nascita syntymaaika",
    "last_name": "nachnam achternaam efternam efternavn etternavn nazwisk фамили sukunim soyad vezetek prijmen"
    " priezvisk επωνυμ cognom sobrenom apellid",
    "first_name": "vornam voornaam fornamn fornavn etunim keresztn prenom imie",
}  # fmt: skip
_FULL_NAMES = "full name|fullname|nom complet|nombre completo|nome completo"
"""A whole name, of a person or of a repository."""
_SAME_WORD = "name nom nome namen naam namn navn nimi nombre nev nume isim ad jmeno имя ονομα 名 名前 الاسم اسم"
"""Words for the name of anything: a person's in a table of persons, a product's elsewhere."""

_ID_WORDS = """
    id ids no nr num number code key ref uuid guid nummer numero kod kennung 号 番号
"""
_PERSONS = """
    person people patient customer client user member employee staff student pupil teacher doctor physician nurse
    contact subscriber passenger guest tenant borrower donor applicant candidate participant subject resident citizen
    individual author actor driver player owner beneficiary insured policyholder cardholder account
    kunde kunden patienten personen mitarbeiter mitglied mitglieder versicherte schueler studierende bewerber
    personne personnes salarie employe eleve utilisateur cliente clientes persona personas paciente pacientes empleado
    empleados usuario usuarios alumno alumnos persone paziente pazienti clienti utente utenti dipendenti studenti
    klant klanten medewerker medewerkers leden lid klienci klient pacjent pacjenci pracownik pracownicy osoba osoby
    kund kunder patienter medlem medlemmer medlemmar ansatte pessoa pessoas funcionario funcionarios aluno alunos
    hasta hastalar musteri musteriler пациент пациенты клиент клиенты сотрудник сотрудники пользователь пользователи
    люди 患者 客户 顾客 员工 用户 学生 顧客 社員 会員 환자 고객 مرضى عملاء موظفين
"""


def folded(text: str) -> str:
    """Return text in lower case, without accents.

    >>> folded("Prénom"), folded("Straße"), folded("Ödemeler"), folded("Imię")
    ('prenom', 'strasse', 'odemeler', 'imie')
    """
    parted = unicodedata.normalize("NFKD", text.casefold().translate(_SPELLED))
    bare = "".join(character for character in parted if unicodedata.category(character) != "Mn")
    return unicodedata.normalize("NFC", bare)


def words_of(name: str) -> str:
    """Return a name as folded words.

    >>> words_of("customerFirst_Name2"), words_of("Geburtsdatum (Kind)")
    ('customer first name', 'geburtsdatum kind')
    """
    parted = re.sub(r"(?<=[a-zß-ÿ])(?=[A-ZÀ-Þ])", " ", name)
    return " ".join(re.findall(r"[^\W\d_]+", folded(parted)))


KIND_OF = {folded(words): kind for kind, all_words in _WORDS.items() for words in all_words.split("|")}
STEMS = {folded(stem): kind for kind, all_stems in _STEMS.items() for stem in all_stems.split()}
FULL_NAMES = frozenset(map(folded, _FULL_NAMES.split("|")))
KIND_OF |= dict.fromkeys(FULL_NAMES, "name")
NAME_WORDS = frozenset(map(folded, _SAME_WORD.split()))
PERSON_TABLES = frozenset(map(folded, _PERSONS.split()))
ID_WORDS = frozenset(map(folded, _ID_WORDS.split()))


def is_person_word(word: str) -> bool:
    """Return whether a folded word is one for persons."""
    return word in PERSON_TABLES or (word.endswith("s") and word[:-1] in PERSON_TABLES)


def is_person_table(table: str) -> bool:
    """Return whether a table's name says that its rows are persons."""
    return any(is_person_word(word) for word in words_of(table).split()[-1:])


def is_full_name(column: str) -> bool:
    """Return whether a column is called the whole name of something, and not of whom."""
    return words_of(column) in FULL_NAMES


def named_kind(table: str, column: str) -> PersonalKind | None:
    """Return what a column's name says that it leads to a person by.

    >>> named_kind("t", "home_phone"), named_kind("t", "Datum narození"), named_kind("labs", "patient_id")
    ('phone', 'birth_date', 'code')
    """
    words = words_of(column).split()
    for start in range(len(words)):  # customer_first_name, home_phone: the end of a name says what it is
        found = KIND_OF.get(" ".join(words[start:]))
        if found is not None:
            return found
    for end in range(len(words), 0, -1):  # email_1, phone_home
        found = KIND_OF.get(" ".join(words[:end]))
        if found is not None and len(words) - end <= 1 and found not in ("name", "street", "postcode"):
            return found
    for word in words:
        for stem, kind in STEMS.items():
            if word.startswith(stem):
                return kind
    if is_id_of_person(column):
        return "code"
    if words and words[-1] in NAME_WORDS:
        owner = words[-2] if len(words) > 1 else ""
        if is_person_word(owner) or (not owner and is_person_table(table)):
            return "name"
    return None


def is_id_of_person(column: str) -> bool:
    """Return whether a column's name is that of persons' ids, whose own table is not among the files.

    >>> is_id_of_person("patient_id"), is_id_of_person("KundenNr"), is_id_of_person("product_id")
    (True, True, False)
    """
    words = words_of(column).split()
    if len(words) > 1 and words[-1] in ID_WORDS and is_person_word(words[-2]):
        return True
    return bool(words) and any(words[-1].endswith(end) and is_person_word(words[-1][: -len(end)]) for end in ID_WORDS)
