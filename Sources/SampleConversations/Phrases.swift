/// What made-up conversations are made of.
enum Phrases {
    struct Language {
        let robot: [String]
        let child: [String]
    }

    struct Topic {
        let name: String
        let languages: [Language]
    }

    static let topics = [
        Topic(name: "animals", languages: [english, vietnamese]),
        Topic(name: "school", languages: [vietnamese]),
        Topic(name: "stories", languages: [english]),
        Topic(name: "english-lesson", languages: [english, mixed]),
    ]

    /// What a child says of the whole session, some of it more often.
    static let verdicts = [
        "Wow, tell me more!", "Hay quá, kể tiếp đi!", "Cool! That's amazing!", "Yay, so much fun!",
        "Vui quá đi!", "This is boring.", "Chán quá, không muốn học nữa.", "I miss my grandma.",
        "That's not fair!",
    ]

    private static let english = Language(
        robot: [
            "Hello! How was your day?", "What do you like to play?", "That sounds like fun!",
            "Can you tell me more about it?", "Which animal is your favourite?",
            "Shall we read a story together?", "Wow, you are a fast learner!",
        ],
        child: [
            "Hi Pika!", "I like dinosaurs because they are big.", "Why is the sky blue?",
            "My brother has a red bike.", "Can you sing a song?", "ok", "I don't know 🙂",
            "Do fish sleep?", "We went to the zoo on Sunday and I saw a \"real\" tiger.",
        ]
    )

    private static let vietnamese = Language(
        robot: [
            "Chào bạn! Hôm nay bạn thế nào?", "Bạn thích chơi trò gì?", "Hay quá!",
            "Kể cho tớ nghe thêm đi.", "Bạn thích con vật nào nhất?",
            "Ở trường hôm nay có gì vui không?",
        ],
        child: [
            "Chào Pika!", "Tớ thích khủng long vì nó rất to.", "Sao bầu trời lại màu xanh?",
            "Hôm nay tớ được điểm mười!", "Pika hát một bài được không?", "ừ", "Tớ không biết",
            "Con mèo nhà tớ tên là Mướp.",
        ]
    )

    private static let mixed = Language(
        robot: [
            "Con mèo trong tiếng Anh là gì nhỉ?", "Repeat after me: butterfly!",
            "Giỏi lắm! Now say it in English.",
        ],
        child: [
            "Con mèo là cat!", "Butter... butterfly!", "Pika ơi, how to say con voi?",
            "I love mẹ.",
        ]
    )
}
