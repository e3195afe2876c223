//! The tenants and their users: few, fixed in number, the same for the same seed.

use fake::Fake;
use fake::faker::name::raw::{FirstName, LastName};
use fake::locales::{DE_DE, Data, EN, FR_FR, JA_JP, TR_TR, ZH_TW};

use crate::dice::{Dice, Stream};

/// An organisation of the demo.
pub(crate) struct Tenant {
    pub(crate) id: i32,
    pub(crate) slug: &'static str,
    pub(crate) name: &'static str,
    /// The visits it has, relative to the others.
    pub(crate) weight: f64,
    /// Where its visitors come from: country, time zone in hours, weight.
    pub(crate) countries: &'static [(&'static str, i64, f64)],
}

/// The organisations.
pub(crate) const TENANTS: [Tenant; 2] = [
    Tenant {
        id: 1,
        slug: "aurora",
        name: "Aurora Märkte",
        weight: 2.0,
        countries: &[
            ("DE", 1, 34.0),
            ("FR", 1, 16.0),
            ("GB", 0, 14.0),
            ("CZ", 1, 9.0),
            ("GR", 2, 7.0),
            ("TR", 3, 7.0),
            ("UA", 2, 6.0),
            ("US", -5, 7.0),
        ],
    },
    Tenant {
        id: 2,
        slug: "sakura",
        name: "さくら商店",
        weight: 1.0,
        countries: &[
            ("JP", 9, 46.0),
            ("KR", 9, 17.0),
            ("TW", 8, 12.0),
            ("SG", 8, 8.0),
            ("AU", 10, 8.0),
            ("US", -8, 9.0),
        ],
    },
];

/// How many users each tenant has.
pub(crate) const USERS_PER_TENANT: i32 = 10;

/// A person of a tenant.
pub(crate) struct User {
    pub(crate) id: i32,
    pub(crate) tenant_id: i32,
    pub(crate) name: String,
    pub(crate) email: String,
}

/// All users of all tenants.
pub(crate) fn users(seed: u64) -> Vec<User> {
    let per_tenant = |tenant: &Tenant| {
        let (tenant_id, slug) = (tenant.id, tenant.slug);
        (0..USERS_PER_TENANT).map(move |number| {
            let id = first_user(tenant_id) + number;
            let mut dice = Dice::of_row(seed, Stream::Users, id.unsigned_abs().into());
            let name = name(&mut dice, tenant_id, number);
            let email = format!("user{:02}@{slug}.example", number + 1);
            User {
                id,
                tenant_id,
                name,
                email,
            }
        })
    };
    TENANTS.iter().flat_map(per_tenant).collect()
}

/// The id of a tenant's first user; the others follow.
pub(crate) fn first_user(tenant_id: i32) -> i32 {
    (tenant_id - 1) * USERS_PER_TENANT + 1
}

/// Names that `fake` has no locale for, as their owners write them.
const OTHERS: [[&str; 5]; 2] = [
    [
        "Олена Шевченко",
        "Νίκος Παπαδόπουλος",
        "Jiří Dvořák",
        "נועה לוי",
        "Łukasz Wójcik",
    ],
    ["김민준", "박서연", "यश शर्मा", "Nguyễn Thị Mai", "สมชาย ใจดี"],
];

fn name(dice: &mut Dice, tenant_id: i32, number: i32) -> String {
    fn join<L: Data + Copy>(dice: &mut Dice, locale: L, family_first: bool) -> String {
        let given: &str = FirstName(locale).fake_with_rng(dice);
        let family: &str = LastName(locale).fake_with_rng(dice);
        if family_first {
            format!("{family} {given}")
        } else {
            format!("{given} {family}")
        }
    }
    match (tenant_id, number) {
        (_, 0) => join(dice, EN, false),
        (1, 1 | 2) => join(dice, DE_DE, false),
        (1, 3) => join(dice, FR_FR, false),
        (1, 4) => join(dice, TR_TR, false),
        (2, 1..=3) => join(dice, JA_JP, true),
        (2, 4) => join(dice, ZH_TW, true),
        (1, other) => OTHERS[0][(other - 5) as usize].to_owned(),
        (_, other) => OTHERS[1][(other - 5) as usize].to_owned(),
    }
}
