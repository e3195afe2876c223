//! What the demo's shop sells: 15 categories, 20 brands, and what goes with what.

/// A department of the shop.
pub(crate) struct Category {
    pub(crate) name: &'static str,
    /// Ends the article numbers of its products.
    pub(crate) code: &'static str,
    /// How much of the catalogue it makes up.
    pub(crate) share: f64,
    /// The spread of the prices around each kind's median (sigma of the logarithm).
    pub(crate) price_spread: f64,
    /// The usual brands, the strongest first: indexes into [`BRANDS`].
    pub(crate) brands: &'static [usize],
    pub(crate) kinds: &'static [Kind],
    /// What a description may praise.
    pub(crate) features: &'static [&'static str],
    pub(crate) tags: &'static [&'static str],
}

/// A kind of product.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    /// In euros.
    pub(crate) median_price: f64,
    /// What it is called elsewhere; some products carry one of these too.
    pub(crate) elsewhere: &'static [&'static str],
}

const fn kind(name: &'static str, median_price: f64, elsewhere: &'static [&'static str]) -> Kind {
    Kind {
        name,
        median_price,
        elsewhere,
    }
}

/// The brands, from all over the world.
pub(crate) const BRANDS: [&str; 20] = [
    "Aurora",
    "Nordwind",
    "Lumière",
    "Müller & Söhne",
    "Kestrel",
    "Sakura 桜",
    "北辰",
    "한빛",
    "Северный Ветер",
    "Ελιά",
    "Nimbus",
    "Verde Vivo",
    "Oak & Ivy",
    "Björk",
    "سحاب",
    "Atlas",
    "Pico",
    "Čapek",
    "Terra",
    "Wanderlust",
];

/// Words that tell the models of a brand apart.
pub(crate) const SERIES: [&str; 14] = [
    "Pro",
    "Classic",
    "Air",
    "Eco",
    "Max",
    "Mini",
    "Studio",
    "Urban",
    "Prime",
    "Nova",
    "Essential",
    "Heritage",
    "Flex",
    "One",
];

/// Tags that any product may have; the others follow from its numbers.
pub(crate) const COMMON_TAGS: [&str; 6] = [
    "gift",
    "eco",
    "limited",
    "refurbished",
    "handmade",
    "exclusive",
];

/// The departments.
pub(crate) const CATEGORIES: [Category; 15] = [
    Category {
        name: "Electronics",
        code: "ELE",
        share: 14.0,
        price_spread: 0.45,
        brands: &[0, 6, 7, 10, 4, 14],
        kinds: &[
            kind(
                "Laptop",
                899.0,
                &[
                    "ノートパソコン",
                    "笔记本电脑",
                    "Ноутбук",
                    "노트북",
                    "حاسوب محمول",
                ],
            ),
            kind(
                "Smartphone",
                549.0,
                &["スマートフォン", "智能手机", "Смартфон"],
            ),
            kind(
                "Headphones",
                89.0,
                &["Kopfhörer", "ヘッドホン", "Наушники", "سماعات"],
            ),
            kind("Monitor", 229.0, &["Écran", "显示器"]),
            kind("Tablet", 329.0, &["태블릿", "Τάμπλετ"]),
            kind("Camera", 579.0, &["Appareil photo", "カメラ", "相机"]),
            kind("Keyboard", 59.0, &["Tastatur", "Klávesnice"]),
            kind("Smartwatch", 199.0, &["スマートウォッチ"]),
            kind("Speaker", 79.0, &["Haut-parleur", "스피커"]),
            kind("Charger", 24.0, &["充电器", "Nabíječka"]),
        ],
        features: &[
            "a bright 120 Hz display",
            "all-day battery",
            "fast charging",
            "a fanless design",
            "noise cancelling",
            "Wi-Fi 7",
            "a metal body",
            "hot-swappable keys",
            "two USB-C ports",
        ],
        tags: &["wireless", "usb-c", "bluetooth", "4k", "portable"],
    },
    Category {
        name: "Home & Kitchen",
        code: "HOM",
        share: 11.0,
        price_spread: 0.6,
        brands: &[3, 2, 12, 18, 13],
        kinds: &[
            kind("Kettle", 39.0, &["Wasserkocher", "电热水壶"]),
            kind("Frying Pan", 34.0, &["Bratpfanne", "フライパン"]),
            kind("Knife Set", 79.0, &["包丁セット", "Набор ножей"]),
            kind("Blender", 69.0, &["Mixeur"]),
            kind("Lamp", 45.0, &["Lampe", "Φωτιστικό"]),
            kind("Bed Linen", 59.0, &["Bettwäsche"]),
            kind(
                "Espresso Machine",
                349.0,
                &["Machine à expresso", "إسبريسو"],
            ),
        ],
        features: &[
            "stainless steel",
            "a ceramic coating",
            "dishwasher-safe parts",
            "a quiet motor",
            "organic cotton",
            "an oak handle",
            "a ten-year guarantee",
        ],
        tags: &["kitchen", "dishwasher-safe", "bedroom", "living-room"],
    },
    Category {
        name: "Books",
        code: "BOO",
        share: 10.0,
        price_spread: 0.35,
        brands: &[12, 17, 2, 8, 5],
        kinds: &[
            kind("Novel", 14.0, &["Roman", "小説", "Роман", "رواية"]),
            kind("Cookbook", 24.0, &["Kochbuch", "Βιβλίο μαγειρικής"]),
            kind("Travel Guide", 18.0, &["Guide de voyage", "旅行ガイド"]),
            kind("Biography", 19.0, &["传记"]),
            kind("Picture Book", 12.0, &["絵本", "그림책"]),
            kind("Textbook", 49.0, &["Učebnice", "教科书"]),
        ],
        features: &[
            "thread-stitched binding",
            "a new translation",
            "an index of places",
            "large print",
            "hand-drawn maps",
            "a foreword by the author",
        ],
        tags: &["hardcover", "paperback", "signed", "translation"],
    },
    Category {
        name: "Clothing",
        code: "CLO",
        share: 11.0,
        price_spread: 0.5,
        brands: &[13, 11, 19, 2, 12],
        kinds: &[
            kind("T-Shirt", 19.0, &["Tričko", "Tシャツ"]),
            kind("Jacket", 89.0, &["Veste", "Куртка", "معطف"]),
            kind("Jeans", 59.0, &["ジーンズ", "牛仔裤"]),
            kind("Sweater", 49.0, &["Pullover", "스웨터"]),
            kind("Dress", 69.0, &["Robe", "Φόρεμα"]),
            kind("Socks", 9.0, &["Socken", "Носки"]),
        ],
        features: &[
            "merino wool",
            "recycled fibres",
            "deep pockets",
            "a relaxed cut",
            "flat seams",
            "a water-repellent finish",
        ],
        tags: &["organic", "unisex", "summer", "winter"],
    },
    Category {
        name: "Shoes",
        code: "SHO",
        share: 6.0,
        price_spread: 0.4,
        brands: &[19, 15, 11, 13],
        kinds: &[
            kind("Sneakers", 79.0, &["スニーカー", "运动鞋"]),
            kind("Boots", 129.0, &["Stiefel", "Ботинки"]),
            kind("Sandals", 49.0, &["Sandales", "Σανδάλια"]),
            kind("Running Shoes", 119.0, &["Laufschuhe", "러닝화"]),
        ],
        features: &[
            "a cork footbed",
            "vegan leather",
            "a wide toe box",
            "a grippy sole",
        ],
        tags: &["vegan", "waterproof", "wide"],
    },
    Category {
        name: "Sports & Outdoors",
        code: "SPO",
        share: 7.0,
        price_spread: 0.65,
        brands: &[19, 15, 1, 8],
        kinds: &[
            kind("Tent", 199.0, &["Zelt", "テント", "خيمة"]),
            kind("Backpack", 89.0, &["Sac à dos", "Рюкзак"]),
            kind("Yoga Mat", 29.0, &["ヨガマット"]),
            kind("Bicycle Helmet", 59.0, &["Fahrradhelm"]),
            kind("Sleeping Bag", 99.0, &["睡袋", "Spacák"]),
            kind("Dumbbells", 45.0, &["덤벨"]),
        ],
        features: &[
            "taped seams",
            "aluminium poles",
            "a ventilated back",
            "reflective details",
            "a packed size of two litres",
        ],
        tags: &["camping", "hiking", "fitness", "lightweight"],
    },
    Category {
        name: "Toys & Games",
        code: "TOY",
        share: 6.0,
        price_spread: 0.5,
        brands: &[16, 12, 17, 5],
        kinds: &[
            kind("Board Game", 34.0, &["Brettspiel", "ボードゲーム"]),
            kind("Puzzle", 17.0, &["Пазл", "拼图"]),
            kind("Building Blocks", 29.0, &["블록", "Stavebnice"]),
            kind("Plush Bear", 22.0, &["Teddybär", "Αρκουδάκι"]),
        ],
        features: &[
            "wooden pieces",
            "rules in six languages",
            "1,000 pieces",
            "washable fabric",
        ],
        tags: &["family", "wooden", "ages-3-plus", "ages-8-plus"],
    },
    Category {
        name: "Beauty",
        code: "BEA",
        share: 6.0,
        price_spread: 0.55,
        brands: &[2, 5, 9, 11],
        kinds: &[
            kind("Face Cream", 24.0, &["Crème visage", "フェイスクリーム"]),
            kind("Shampoo", 11.0, &["شامبو", "洗发水"]),
            kind("Perfume", 69.0, &["Parfum", "Духи"]),
            kind("Lipstick", 18.0, &["口紅", "립스틱"]),
        ],
        features: &[
            "aloe vera",
            "no added fragrance",
            "a refillable bottle",
            "olive oil",
        ],
        tags: &["vegan", "refillable", "sensitive-skin"],
    },
    Category {
        name: "Health",
        code: "HEA",
        share: 5.0,
        price_spread: 0.5,
        brands: &[1, 9, 18, 7],
        kinds: &[
            kind("Vitamins", 16.0, &["Vitamine", "ビタミン"]),
            kind("Blood Pressure Monitor", 49.0, &["血压计"]),
            kind("Toothbrush", 39.0, &["Zahnbürste", "칫솔"]),
            kind("Thermometer", 19.0, &["Θερμόμετρο"]),
        ],
        features: &[
            "a clear display",
            "clinically tested",
            "a travel case",
            "a two-minute timer",
        ],
        tags: &["daily", "travel-size", "sugar-free"],
    },
    Category {
        name: "Grocery",
        code: "GRO",
        share: 6.0,
        price_spread: 0.45,
        brands: &[9, 11, 5, 3, 17],
        kinds: &[
            kind("Olive Oil", 14.0, &["Ελαιόλαδο", "زيت زيتون"]),
            kind("Coffee Beans", 13.0, &["Kaffeebohnen", "コーヒー豆"]),
            kind("Green Tea", 9.0, &["緑茶", "绿茶", "녹차"]),
            kind("Dark Chocolate", 4.0, &["Chocolat noir", "Шоколад"]),
            kind("Honey", 8.0, &["Honig", "Med"]),
        ],
        features: &["single origin", "cold pressed", "fair trade", "hand picked"],
        tags: &["organic", "fair-trade", "vegan", "gluten-free"],
    },
    Category {
        name: "Garden",
        code: "GAR",
        share: 5.0,
        price_spread: 0.7,
        brands: &[18, 11, 3],
        kinds: &[
            kind("Watering Can", 24.0, &["Gießkanne", "ジョウロ"]),
            kind("Lawn Mower", 299.0, &["Tondeuse", "Газонокосилка"]),
            kind("Flower Pot", 15.0, &["Γλάστρα", "花盆"]),
            kind("Garden Hose", 34.0, &["Zahradní hadice"]),
        ],
        features: &[
            "frost-proof clay",
            "a brass nozzle",
            "a mulching blade",
            "recycled plastic",
        ],
        tags: &["outdoor", "frost-proof", "battery"],
    },
    Category {
        name: "Automotive",
        code: "AUT",
        share: 4.0,
        price_spread: 0.6,
        brands: &[15, 8, 6],
        kinds: &[
            kind("Dash Camera", 99.0, &["行车记录仪", "블랙박스"]),
            kind("Car Charger", 19.0, &["Автозарядка"]),
            kind("Roof Box", 379.0, &["Dachbox", "Coffre de toit"]),
            kind("Tyre Inflator", 49.0, &["空気入れ"]),
        ],
        features: &[
            "night vision",
            "a 12 V plug",
            "tool-free mounting",
            "a metal housing",
        ],
        tags: &["12v", "universal-fit"],
    },
    Category {
        name: "Office",
        code: "OFF",
        share: 4.0,
        price_spread: 0.6,
        brands: &[17, 16, 1, 3],
        kinds: &[
            kind("Office Chair", 229.0, &["Bürostuhl", "オフィスチェア"]),
            kind("Fountain Pen", 45.0, &["万年筆", "Stylo-plume"]),
            kind("Notebook", 9.0, &["Zápisník", "دفتر"]),
            kind("Standing Desk", 399.0, &["Письменный стол"]),
        ],
        features: &[
            "acid-free paper",
            "adjustable armrests",
            "a steel nib",
            "a cable tray",
        ],
        tags: &["ergonomic", "home-office"],
    },
    Category {
        name: "Music",
        code: "MUS",
        share: 3.0,
        price_spread: 0.75,
        brands: &[13, 8, 5, 7],
        kinds: &[
            kind("Guitar", 249.0, &["Gitarre", "ギター", "قيثارة"]),
            kind("Digital Piano", 599.0, &["Piano numérique", "电钢琴"]),
            kind("Ukulele", 69.0, &["우쿨렐레"]),
            kind("Microphone", 109.0, &["Микрофон", "Μικρόφωνο"]),
        ],
        features: &[
            "a spruce top",
            "weighted keys",
            "a padded bag",
            "low self-noise",
        ],
        tags: &["beginner", "studio", "stage"],
    },
    Category {
        name: "Pets",
        code: "PET",
        share: 2.0,
        price_spread: 0.5,
        brands: &[16, 18, 11],
        kinds: &[
            kind("Dog Bed", 49.0, &["Hundebett", "Лежанка"]),
            kind("Cat Tree", 79.0, &["Arbre à chat", "キャットタワー"]),
            kind("Bird Feeder", 19.0, &["Krmítko"]),
            kind("Leash", 17.0, &["猫绳"]),
        ],
        features: &[
            "a washable cover",
            "sisal rope",
            "no sharp edges",
            "a quick-release clip",
        ],
        tags: &["washable", "small-breeds", "large-breeds"],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_brand_sells_something() {
        for (index, brand) in BRANDS.iter().enumerate() {
            assert!(
                CATEGORIES
                    .iter()
                    .any(|category| category.brands.contains(&index)),
                "{brand}"
            );
        }
        assert!(
            CATEGORIES
                .iter()
                .flat_map(|category| category.brands)
                .all(|&i| i < BRANDS.len())
        );
    }
}
