/// What the rules know of Vietnamese, with its marks; where a child types none, the same tables are
/// read without them.
enum VietnameseTables {
    static let grammar: [(Tags, String)] = questions + memories + answers

    /// "Không" before another word, as it is spelt and said.
    static let negations: [Substring] = [
        "không", "ko", "k", "hok", "hông", "hong", "hổng", "hem", "khum", "chẳng", "chả",
    ]

    /// Enough of its commonest words to tell it from the other.
    static let language: [(Tags, String)] = [
        (
            .vietnamese,
            """
            không, ko, hok, gì, tớ, tôi, được, nhà, thích, biết, hôm, nay, buồn, vui, bạn, mấy,
            tuổi, nào, một, trường, lớp, mẹ, bố, trời, nhiều, thế, có, cái, của, với, đi, ơi, nó,
            thì, là, cho, lắm, quá, rồi, chưa, thiệt, vậy, hả, sao, ai, kiến, nhiêu, đâu, bik, ạ,
            dạ, vâng, nhỉ, tên, hai, con, em, chán, chơi, học, mình, ừ, thôi, muốn, ở
            """
        )
    ]

    private static let questions: [(Tags, String)] = [
        (
            .asking,
            """
            tại sao, vì sao, sao lại, bao nhiêu, bao giờ, khi nào, như thế nào, thế nào, kiểu gì,
            là gì, cái gì, con gì, làm gì, ăn gì, có gì, vị gì, màu gì, tên gì, ở đâu, đi đâu,
            từ đâu, thì sao, bao lâu, bao xa, mấy tuổi, mấy giờ, cái nào, con nào, loại nào,
            chỗ nào, màu nào, bạn nào, ngày nào, đường nào, cách nào, bài nào, câu nào, lúc nào,
            quả nào, số nào, chữ nào, hình nào, trò nào, nước nào, nhà nào, bên nào, hồi nào,
            người nào, thứ nào, chuyện nào, truyện nào, làm thế nào, làm sao, như nào, nói thế nào,
            là ai, của ai, không nhỉ, =còn bạn, còn pika, hay là, bằng gì, bằng cái gì, để làm gì,
            cỡ nào, cỡ nào vậy, để chi, là sao, sao thế, sao vậy
            """
        ),
        (.indefinite, "gì, ai, đâu, nào, mấy, =chi"),
        ([.indefinite, .some], "đâu, =chi"),
        ([.indefinite, .tag], "nào"),
        (.plural, "mấy"),
        (.also, "cũng"),
        (.nominative, "nó, bạn ấy, cô ấy, em ấy, chị ấy, anh ấy"),
        (.addressee, "bạn, cậu"),
        (.has, "có"),
        (.brief, "hơn"),
        ([.wish, .adverb], "lớn lên, sau này, mai mốt"),
        (
            [.fact, .identity],
            """
            biết bơi, biết đi, biết vẽ, biết hát, biết nấu, biết múa, biết đọc, biết viết
            """
        ),
        ([.fact, .negator], "không có, hổng có, hông có, không ăn được"),
        (.some, "đó, đấy, hết, cả, kia, ấy, mà, đâu, nấy"),
        (.or, "hay, hay là"),
        // Stars.
        (
            .hollow,
            """
            ngôi sao, ông sao, vì sao sáng, các vì sao, sao biển, sao hỏa, sao hoả, sao kim,
            sao mộc, sao thổ, nhiều sao, những sao, sao băng, sao chổi, sao thủy, sao sáng,
            đèn ông sao, ông sao sáng
            """
        ),
        (.why, "sao, ai"),
        (.yesNo, "không, ko, hok, hông, hong, hổng, hem, chưa, khum, hôn"),
        ([.tag, .softTag], "=à"),
        (.tag, "hả, hở, hử, đúng không, phải không, đúng ko, phải ko, đúng hông, phải hông"),
        (
            .filler,
            """
            ơi, à, ạ, ơ, ê, ồ, ô, ôi, nhỉ, nhé, ha, chứ, nha, ủa, ừ, ừm, dạ, vâng, thế, vậy,
            cho con hỏi, cho em hỏi, cho hỏi, con muốn hỏi, hỏi nè, ta, dợ, dạ pika, á, nè, pika ạ,
            với pika, hén, hen, đi pika, thế thì, vậy thì, nhưng, nhưng mà, mà, =còn, pika ơi,
            vậy pika, thế pika, oa, woa, ok pika, này, với, rồi, thôi, thế á, vậy hả
            """
        ),
        (
            .idle,
            """
            hả, gì, gì cơ, gì vậy, cái gì cơ, gì thế, sao cơ, hở, thật không, thật hả, thật á,
            thật à, thiệt hả, thiệt không, thế à, thế hả, vậy à, vậy hả, thế á, ồ thế à, ai mà biết,
            ai mà biết được, ai biết, sao mà biết, làm sao mà biết, không có gì, không làm gì,
            không làm gì cả, không biết gì, gì cũng được, gì cũng, chơi gì cũng được, ai cũng,
            đâu cũng, nào cũng, sao cũng được, sao cũng, chứ gì, chứ gì nữa, chẳng có gì, không sao,
            không ai, không có ai, chả có ai, chẳng có ai, nói lại đi, nói lại được không, gì cả,
            gì đó, gì đấy, ai đó, đâu đó, nào đó, chẳng ai, chả ai, không đâu, đâu có, biết gì đâu,
            gì mà, làm gì có, bao nhiêu lần rồi, cái gì cũng, sao đâu, chả sao, không gì, có gì đâu,
            chẳng sao, kể nào, chơi nào, học nào, chứ ai, chứ sao, chứ đâu, chứ sao nữa,
            chứ sao không, chứ nào, từ đầu tới, từ đầu đến, sao trên trời
            """
        ),
        (.reporting, "hỏi, =bảo, kể là, nói là, đã hỏi, dặn"),
        (.knowing, "biết, không biết, ko biết, hiểu, nhớ, không nhớ"),
    ]

    private static let memories: [(Tags, String)] = [
        (
            .firstPerson,
            """
            tớ, =tôi, mình, con, em, cháu, tui, nhà tui, lớp tui, tụi tui, tụi mình, chúng tớ,
            tụi con, bọn tớ, nhà tớ, nhà con, nhà em, nhà mình, lớp tớ, lớp con, lớp em, trường tớ,
            trường con
            """
        ),
        (
            .possessive,
            """
            của tui, nhà tui, nhà cháu, lớp tui, lớp cháu, nhà tớ, nhà con, nhà em, nhà mình,
            lớp tớ, lớp con, lớp em, trường tớ, trường con, sinh nhật tớ, sinh nhật con,
            sinh nhật em, của tớ, của con, của em, của mình, của cháu
            """
        ),
        (.anaphor, "nó, em ấy, chị ấy, anh ấy, bạn ấy, cô ấy, em bé, tên là, bà ấy, ông ấy"),
        (
            .negator,
            """
            không, ko, không thích, ko thích, không sợ, chẳng, chả, đừng, =chưa, không có, hok,
            hông, hong, hổng, khỏi, hem, đâu có, không hề
            """
        ),
        (
            .adverb,
            """
            rất, cũng, hay, đã, vừa, mới, từng, sẽ, luôn, thường, cực, cực kì, toàn, vẫn, đều,
            hôm nay, hôm qua, tuần sau, tuần trước, hôm kia, ngày mai, mai, sáng nay, tối qua,
            hè này, hôm trước, cuối tuần, hồi bé, lúc nãy, chiều nay, hè năm ngoái, năm ngoái,
            tối nay, thứ bảy, chủ nhật, tại, vì, thì, trưa nay, hồi tối, hồi sáng, hồi trưa,
            hồi chiều, hồi nãy, hồi nhỏ, bữa, bữa trước, bữa nay, bữa nọ, hôm nọ, hôm bữa, bữa nào,
            hồi nào giờ, sáng nào, ngày nào, tối nào, chiều nào, hôm nào, mỗi ngày, mỗi tối,
            tuần này, tháng trước, chiều qua, sáng qua, hôm, lúc, đêm qua, sáng hôm qua,
            tối hôm qua, chiều hôm qua, chủ nhật này, bây giờ, mà, cứ, lại, lúc đầu, xong, rồi,
            thế là, hồi hè, tết, tết này
            """
        ),
        (
            .past,
            """
            hôm qua, hôm kia, hôm trước, hôm bữa, hôm nọ, bữa trước, bữa nọ, tuần trước,
            tháng trước, năm ngoái, hè năm ngoái, hồi bé, hồi nhỏ, hồi tối, hồi sáng, hồi trưa,
            hồi chiều, hồi hè, hồi trước, tối qua, đêm qua, chiều qua, sáng qua, sáng hôm qua,
            tối hôm qua, chiều hôm qua, hồi nãy, sáng nay, trưa nay
            """
        ),
        (.adverb, "hồi trước"),
        (
            .fact,
            """
            thích, thích chơi, thích ăn, thích học, thích xem, thích đọc, thích vẽ, yêu, ghét, có,
            học, sống, ở, biết bơi, biết đi, biết vẽ, biết hát, biết nấu, sợ, nuôi, giỏi, giỏi nhất,
            hay, chơi, ăn, không thích, ko thích, sinh, cao, nặng, dùng, làm, tập, mê, thuộc,
            không sợ, đi xe, đi bộ, tên, tên là
            """
        ),
        (
            .event,
            """
            được, bị, đi, xé, xem, thấy, trượt, mua, gặp, vẽ, nấu, thắng, ngã, làm vỡ, làm mất,
            lam vo, tặng, mang, chuyển, mất, ốm, đốt, trêu, bế, cho, thưởng, nhận được, bắt được,
            đánh, hát, té, gãy, đạt, rơi, bể, đứt, trúng, giật, cắn, rụng, lạc, quên, giấu, trồng,
            hứa, mổ, chết, chết rồi, rớt, khen, la, thua, vẽ được, ăn được, về
            """
        ),
        (.being, "là"),
        (
            [.being, .asking],
            """
            là gì, là ai, là cái gì, là con gì, là ở đâu, là tại sao, là khi nào, là cái nào
            """
        ),
        (.identity, "tuổi, người, lớp, học sinh"),
        (.number, "một, hai, ba, bốn, năm, sáu, bảy, tám, chín, mười, mot, bay"),
        (
            .wish,
            """
            muốn làm, muốn có, muốn trở thành, ước mơ, muốn thành, ước có, muốn được đi, sẽ làm
            """
        ),
        (
            .family,
            """
            mẹ, bố, ba, =má, bà, ông, anh, chị, em trai, em gái, em, em bé, =cô, chú, =dì, ông nội,
            bà nội, ông ngoại, bà ngoại, =cậu, bác, cô giáo, thầy, thầy giáo, bạn thân, các bạn
            """
        ),
        (
            .pet,
            """
            con mèo, con chó, con cá, con chim, chó, mèo, con thỏ, cá, con rùa, bạn, chú chó,
            chú mèo, em bé, xe
            """
        ),
        (
            .hollow,
            """
            xíu, chút, tẹo, òm, hoài, thôi, lắm, quá, nữa, đâu, ạ, luôn, rồi, pika, nhé, cực, thế,
            vậy, ghê, thật, được, xong, mà, này, đấy, đó, nó, học nữa, cơ, chơi, bài này, trò này,
            bài hát này, chuyện này, câu này, cái này, truyện này, trò chơi này, bài hát
            """
        ),
        (.now, "=đã, đây, đi, thôi, nhé, nha, nhen, mà"),
        (.bareVerb, "muốn"),
        (
            .conjunction,
            """
            =còn, chừng nào, mà, tại, với lại, xong rồi, và, nhưng, vì, nên, nhưng mà, tại vì, rồi,
            xong
            """
        ),
        (
            .passing,
            """
            đang, không biết, ko biết, biết rồi, muốn chơi, muốn nghe, muốn ngủ, muốn đi ngủ,
            muốn đi chơi, muốn học, muốn khóc, cần, thèm, mong, không muốn, ăn rồi, buồn ngủ,
            không hiểu, tớ nghe, con nghe, em nghe, mình nghe, giúp tớ, giúp con, câu hỏi,
            chả có ai, chẳng có ai, không có ai, nghĩ, đoán, chọn, để con, con mà, tớ mà, khóc,
            nhức, mỏi, chóng mặt, no quá, no rồi, nhớ, để tớ, nếu, if, mẹ gọi, mẹ kêu, ba gọi,
            bố gọi, đi tắm, đi vệ sinh, đi tè, đau, hiểu rồi, mẹ nói, ba nói, cô nói, bà nói,
            chưa ăn, chưa ngủ, chưa xong, chưa làm, thấy buồn, thấy vui, thấy chán, thấy mệt,
            thấy sợ, thấy hay, thấy đói, giả vờ, mệt, đói, khát
            """
        ),
    ]

    private static let answers: [(Tags, String)] = [
        (
            .minimal,
            """
            ừ, ờ, không, ko, có, dạ, vâng, thôi, bik, ko bik, không biết, ko biết, bình thường,
            không thích, =chán, được, chưa, kệ, ừm, rồi, hem, khỏe, vui, chẳng hay, thôi khỏi,
            sao cũng được, gì cũng được, thôi chán, chả biết, k, không muốn, hông
            """
        )
    ]
}
