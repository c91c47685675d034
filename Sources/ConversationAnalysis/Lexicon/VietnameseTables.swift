/// What the rules know of Vietnamese, with its marks; where a child types none, the same tables are
/// read without them.
enum VietnameseTables {
    static let grammar: [(Tags, String)] = questions + memories + answers

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
            từ đâu, thì sao, bao lâu, bao xa, mấy tuổi, mấy giờ, mấy cái, mấy con, mấy người,
            mấy ngày, cái nào, con nào, loại nào, chỗ nào, làm thế nào, làm sao, như nào,
            nói thế nào, ai dạy, ai làm, là ai, của ai, là what, còn bạn, còn pika, hay là,
            con trai hay con gái, bằng gì, bằng cái gì, để làm gì, cỡ nào, cỡ nào vậy, để chi,
            là sao, sao thế, sao vậy
            """
        ),
        (.indefinite, "gì, ai, đâu, nào, mấy, chi"),
        (.why, "sao, ai"),
        (.yesNo, "không, ko, hok, hông, hong, hem, chưa, khum"),
        (.tag, "hả, hở, hử, đúng không, phải không, đúng ko, phải ko, đúng hông, phải hông"),
        (
            .filler,
            """
            ơi, à, ạ, ơ, ê, ồ, ô, ôi, nhỉ, nhé, ha, chứ, nha, ủa, ừ, ừm, dạ, vâng, thế, vậy,
            thế thì, vậy thì, nhưng, nhưng mà, mà, còn, pika ơi, hả pika, vậy pika, thế pika, oa,
            woa, ok pika, này, với, rồi, thôi, thế á, vậy hả
            """
        ),
        (
            .idle,
            """
            hả, gì, gì cơ, gì vậy, cái gì cơ, gì thế, sao cơ, hở, thật không, thật hả, thật á,
            thật à, thiệt hả, thiệt không, thế à, thế hả, vậy à, vậy hả, thế á, ồ thế à, ai mà biết,
            ai mà biết được, ai biết, sao mà biết, sao tớ biết được, làm sao mà biết, không có gì,
            không làm gì, không làm gì cả, không biết gì, gì cũng được, gì cũng, chơi gì cũng được,
            ai cũng, đâu cũng, nào cũng, sao cũng được, sao cũng, chứ gì, chứ gì nữa, chẳng có gì,
            không sao, không ai, không có ai, chả có ai, chẳng có ai, nói lại đi,
            nói lại được không, đọc lại được không, gì cả, gì đó, gì đấy, ai đó, đâu đó, nào đó,
            chẳng ai, chả ai, không đâu, đâu có, biết gì đâu, robot gì mà, gì mà, bao nhiêu lần rồi,
            làm gì có, cái gì cũng, mấy bạn, sao đâu, chả sao, không gì, có gì đâu, chẳng sao,
            kể nào, chơi nào, học nào
            """
        ),
        (.reporting, "hỏi, =bảo, kể là, nói là, đã hỏi, dặn"),
        (.knowing, "biết, không biết, ko biết, hiểu, nhớ, không nhớ"),
    ]

    private static let memories: [(Tags, String)] = [
        (
            .firstPerson,
            """
            tớ, =tôi, mình, con, em, cháu, chúng tớ, tụi con, bọn tớ, tụi mình, nhà tớ, nhà con,
            nhà em, nhà mình, lớp tớ, lớp con, lớp em, trường tớ, trường con
            """
        ),
        (
            .possessive,
            """
            nhà tớ, nhà con, nhà em, nhà mình, lớp tớ, lớp con, lớp em, trường tớ, trường con,
            sinh nhật tớ, sinh nhật con, sinh nhật em, của tớ, của con, của em, của mình, của cháu
            """
        ),
        (.anaphor, "nó, em ấy, chị ấy, anh ấy, bạn ấy, cô ấy, em bé, tên là, bà ấy, ông ấy"),
        (
            .negator,
            """
            không, ko, không thích, ko thích, không sợ, chẳng, chả, đừng, chưa, không có, hok,
            đâu có, không hề
            """
        ),
        (
            .adverb,
            """
            rất, cũng, hay, đã, vừa, mới, từng, sẽ, luôn, thường, cực, cực kì, toàn, vẫn, đều,
            hôm nay, hôm qua, tuần sau, tuần trước, hôm kia, ngày mai, mai, sáng nay, tối qua,
            hè này, hôm trước, cuối tuần, hồi bé, lúc nãy, chiều nay, hè năm ngoái, năm ngoái,
            tối nay, thứ bảy, chủ nhật, tại, vì, thì
            """
        ),
        (
            .fact,
            """
            thích, thích chơi, thích ăn, thích học, thích xem, thích đọc, thích vẽ, yêu, ghét, có,
            học, sống, ở, biết bơi, biết đi, biết vẽ, biết hát, biết nấu, sợ, nuôi, giỏi, giỏi nhất,
            hay, chơi, ăn, không thích, ko thích, sinh, cao, nặng, dùng, tập, mê, thuộc, không sợ,
            đi xe, đi bộ, tên, tên là
            """
        ),
        (
            .event,
            """
            được, bị, đi, làm, xem, thấy, trượt, mua, gặp, vẽ, nấu, thắng, ngã, làm vỡ, làm mất,
            lam vo, tặng, mang, chuyển, mất, ốm, đốt, trêu, xé, bế, cho, thưởng, nhận được,
            bắt được, đánh, hát, vẽ được, ăn được, về
            """
        ),
        (.being, "là"),
        (.identity, "tuổi, người, lớp, học sinh"),
        (.number, "một, hai, ba, bốn, năm, sáu, bảy, tám, chín, mười, mot, bay"),
        (
            .wish,
            "muốn làm, muốn có, muốn trở thành, ước mơ, muốn thành, ước có, muốn được đi, sẽ làm"
        ),
        (
            .family,
            """
            mẹ, bố, ba, =má, bà, ông, anh, chị, em trai, em gái, em, em bé, =cô, chú, =dì, ông nội,
            bà nội, ông ngoại, bà ngoại, =cậu, bác, bạn thân, các bạn
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
            lắm, quá, nữa, đâu, ạ, luôn, rồi, pika, nhé, cực, thế, vậy, ghê, thật, được, xong, mà,
            này, đấy, đó, nó, học nữa, cơ, chơi
            """
        ),
        (.conjunction, "và, nhưng, vì, nên, nhưng mà, tại vì, rồi, xong"),
        (
            .passing,
            """
            đang, không biết, ko biết, biết rồi, muốn chơi, muốn nghe, muốn ngủ, muốn đi ngủ,
            muốn đi chơi, muốn học, muốn khóc, không muốn, ăn rồi, buồn ngủ, không hiểu, tớ nghe,
            con nghe, em nghe, mình nghe, tớ xem đi, con xem đi, giúp tớ, giúp con, câu hỏi,
            chả có ai, chẳng có ai, không có ai
            """
        ),
    ]

    static let robot: [(Tags, String)] = [
        (
            .drill,
            """
            nói theo, nói theo tớ, nói theo mình, đọc lại, nhắc lại, đọc theo, nói lại, đọc to,
            thử lại, lặp lại, đánh vần
            """
        ),
        (
            .personal,
            """
            tên là gì, tên gì, mấy tuổi, bao nhiêu tuổi, thích màu gì, thích gì, thích ăn gì,
            thích chơi gì, thích con gì, thích môn gì, thích con vật nào, thích cô giáo nào, nhất,
            lớp mấy, lớp nào, trường nào, trường bạn, sống ở đâu, nhà bạn ở đâu, ở đâu, những ai,
            làm nghề gì, nghề gì, món gì, ăn món gì, đi học bằng gì, muốn quà gì, quà gì,
            sinh tháng mấy, sinh ngày nào, hôm nay làm gì, bạn làm gì, cuối tuần, đi đâu, với ai,
            gia đình, nuôi con gì, có nuôi, anh chị em, ước mơ, lớn lên, sở thích, hôm qua, môn gì
            """
        ),
        (
            .passingQuestion,
            """
            thế nào, khỏe không, đang làm gì, muốn nghe, muốn chơi, muốn học, chơi gì nào,
            chơi gì thế, sao buồn, sao bạn, đúng không, có vui không, có gì vui, có biết, muốn hỏi,
            bạn nghe, vui không, hay không, là gì nhỉ, tiếng anh
            """
        ),
        (.child, "bạn, con, em, cháu, cậu"),
    ]

    private static let answers: [(Tags, String)] = [
        (
            .minimal,
            """
            ừ, ờ, không, ko, có, dạ, vâng, thôi, bik, ko bik, không biết, ko biết, bình thường,
            không thích, =chán, được, ừm, rồi, hem, khỏe, vui, chẳng hay, thôi khỏi, sao cũng được,
            gì cũng được, thôi chán, chả biết, k, không muốn, hông
            """
        )
    ]

    static let feelings: [(Tags, String)] = [
        (.negator, "không, ko, chẳng, chả, đừng, chưa, hết, hok, không có, không hề"),
        (.adverb, "rất, cũng, có, bị, thấy, hay, còn, thật, phải, tức là"),
        (
            .angry,
            """
            đáng ghét, tức, tức lắm, tức chết, tức quá, bực, bực mình, bực quá, bực ghê, im đi,
            =cút, cút đi, đồ ngốc, robot ngốc, pika ngốc, xấu tính, đồ ngu, =ngu, phiền quá, giận,
            không thèm, dở ẹc, đã bảo, đã bảo không, ghét pika, ghét tiếng anh, ghét lắm, ghét quá,
            ghét nó, ghét bạn, ghét mẹ, không công bằng, không chơi với pika nữa, bực bội, =điên,
            điên quá, tức điên, đồ tồi, phiền, 😡, 😠, 🤬
            """
        ),
        (
            .sad,
            """
            buồn, buồn quá, buồn lắm, buồn ghê, khóc, muốn khóc, huhu, hu hu, nhớ mẹ, nhớ bố,
            nhớ ông, nhớ bà, nhớ ba, mất rồi, không vui, trêu, không chơi với tớ,
            không chơi với con, không ai chơi, chả có ai chơi, cô đơn, bị mắng, lo lắm, tủi thân,
            không ổn, chẳng bao giờ thắng, không ai chơi với con, chả có ai
            """
        ),
        (
            .bored,
            """
            =chán, chán quá, chán lắm, chán ngắt, thôi chán, mệt rồi, buồn ngủ, muốn đi ngủ,
            không muốn học, không học nữa, không thích học nữa, không đọc nữa, muốn đi chơi,
            thôi khỏi, sao cũng được, gì cũng được, chẳng hay, không hay, lại học à, học nữa à,
            nghỉ đi, không muốn, không thích học, không muốn học nữa, =dở
            """
        ),
        (
            .wonder,
            """
            hay quá, hay thế, hay nhỉ, hay thật, hay ghê, hay thật đấy, đỉnh, đỉnh quá, đỉnh lắm,
            ghê thế, ghê vậy, ghê, kể tiếp, kể tiếp đi, kể nữa, kể nữa đi, kể thêm, kể thêm đi,
            muốn nghe nữa, nghe nữa, woa, =oa, quào, =ồ, =ô, =ơ, đẹp thế, kỳ lạ, lạ thế, thú vị,
            thích thế, tuyệt quá, siêu quá, sợ thế, to thế, thiệt hả, thật á
            """
        ),
        (
            .joy,
            """
            vui, hihi, hehe, haha, yeah, yêu, ngon, thích quá, tuyệt vời, cảm ơn, thích lắm,
            buồn cười, hí hí, siêu nhân, yummy
            """
        ),
        (
            .delight,
            """
            vui quá, vui lắm, vui ơi là vui, vui cực, vui cực kì, vui ghê, hoan hô, ye, yê,
            thắng rồi, tớ vui lắm, sướng quá, buồn cười quá, vui quá đi, thích quá đi, hạnh phúc,
            yêu pika, vui lắm luôn, con thích quá, tớ thích quá
            """
        ),
    ]
}
