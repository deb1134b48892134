//! The forums that are known without asking: numbers and names, as they were on the day of [`VERSION`].

use serde_json::{Value, json};

/// When the list was right.
pub const VERSION: &str = "2026-04-27";

/// A forum or a category.
#[derive(Clone, Copy, Debug)]
pub struct Forum {
    /// Its number.
    pub fid: u32,
    /// Its name.
    pub name: &'static str,
    /// What it lies below; a category lies below nothing.
    pub parent: Option<u32>,
    /// Whether it is open.
    pub active: bool,
}

/// All of them or only those that are open, a parent before what lies below it.
pub fn forums(inactive: bool) -> impl Iterator<Item = &'static Forum> {
    FORUMS.iter().filter(move |forum| forum.active || inactive)
}

/// How deep a forum lies.
pub fn depth(forum: &Forum) -> usize {
    let parent = forum
        .parent
        .and_then(|fid| FORUMS.iter().find(|other| other.fid == fid));
    parent.map_or(0, |parent| 1 + depth(parent))
}

impl Forum {
    /// As JSON.
    pub fn to_json(self) -> Value {
        json!({"fid": self.fid, "name": self.name, "parent_fid": self.parent, "is_category": self.parent.is_none()})
    }
}

const fn forum(fid: u32, parent: u32, name: &'static str) -> Forum {
    Forum {
        fid,
        name,
        parent: Some(parent),
        active: true,
    }
}

const fn category(fid: u32, name: &'static str) -> Forum {
    Forum {
        parent: None,
        ..forum(fid, 0, name)
    }
}

const FORUMS: [Forum; 41] = [
    category(444, "Tech"),
    forum(460, 444, "Artificial Intelligence"),
    forum(431, 460, "Artificial Intelligence Discussion"),
    forum(462, 460, "AI Programming and Vibe Coding"),
    forum(464, 460, "AI Tools, APIs & Platforms"),
    forum(461, 460, "Prompt Engineering & Optimization"),
    forum(463, 460, "AI for Marketing & Automation"),
    forum(465, 460, "AI-Generated Art, Music & Video"),
    forum(151, 444, "Coding"),
    forum(5, 151, "Coders Lounge"),
    forum(117, 151, "Mobile Development"),
    forum(375, 151, "HF API"),
    forum(118, 151, "Software Development"),
    forum(183, 151, "Web Development"),
    category(241, "Money"),
    forum(380, 241, "Cryptocurrency"),
    forum(155, 241, "Member Contests"),
    forum(121, 241, "Shopping Deals"),
    forum(281, 241, "Markets, Finance, and Investing"),
    category(105, "Marketplace"),
    category(7, "General Topics"),
    forum(445, 7, "World"),
    forum(25, 445, "The Lounge"),
    forum(12, 445, "Bragging Rights"),
    forum(89, 445, "News and Happenings"),
    forum(260, 445, "Education and Careers"),
    forum(446, 7, "Entertainment"),
    forum(65, 446, "Gaming"),
    forum(32, 446, "Movies, TV, and Videos"),
    forum(167, 446, "Sports"),
    forum(112, 446, "Anime and Manga"),
    forum(37, 446, "Music"),
    forum(385, 446, "Cars, Bikes, and Motors"),
    forum(259, 7, "Personal Life"),
    forum(262, 259, "Health Wise"),
    forum(318, 259, "Vices"),
    forum(261, 259, "Pets and Animals"),
    forum(370, 259, "Gambling"),
    forum(180, 259, "Innuendo"),
    forum(354, 259, "Food, Recipes, and Cooking"),
    category(53, "Crews and Clans Private Forums"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_forum_lies_below_one_that_comes_before_it() {
        for (at, forum) in FORUMS.iter().enumerate() {
            let above = |fid| FORUMS[..at].iter().any(|other| other.fid == fid);
            assert!(forum.parent.is_none_or(above), "{}", forum.name);
        }
        assert_eq!(forums(false).filter(|forum| forum.parent.is_none()).count(), 5);
        assert!(FORUMS.iter().map(depth).max() == Some(2));
    }
}
