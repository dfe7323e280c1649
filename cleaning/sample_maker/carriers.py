"""Sentences that carry personal data or look-alikes, frames of letters, and advertisements."""

from __future__ import annotations

CARRIERS = {
    "zh": {
        "email": ["有疑问可以写信到 {}。", "讲义索取：{}，两天内回复。", "请把报名表发送至{}，邮件标题写明姓名。"],
        "cn_id": [
            "讲师身份证号：{}，入校登记时要用。",
            "参加者王某的身份证号码是{}。",
            "保险登记的身份证件号码为 {}，请核对。",
        ],
        "mobile": ["联系人李老师，电话 {}。", "现场找不到教室就打{}，随时有人接听。", "手机：{}（也可以发短信）。"],
        "landline": ["办公室电话：{}，工作日上午有人。", "请拨打 {} 预约座位。", "咨询热线为{}。"],
        "bank_card": ["报名费请汇入银行卡 {}，开户名王某。", "讲课费打到卡号{}即可。", "收款账户（储蓄卡）：{}。"],
        "credit_code": [
            "主办单位的统一社会信用代码为 {}。",
            "开票信息里的税号是{}，请勿写错。",
            "信用代码：{}，发票抬头同单位名称。",
        ],
        "ip": [
            "课件放在服务器 {} 上，内网可以下载。",
            "直播推流地址的主机是{}。",
            "昨晚有人从 IP {} 反复登录，已经封禁。",
        ],
        "wechat_id": ["加微信 {} 进学习群。", "助教的微信号：{}，备注姓名。", "想要回放的同学请添加微信号{}。"],
        "qq": ["答疑 QQ群：{}。", "也可以加 QQ {} 留言。", "客服QQ：{}，周末休息。"],
        "api_key": [
            "演示程序里的密钥 {} 下课后会作废。",
            "配置文件中写着 API key：{}，发布前必须换掉。",
            "接口密钥为 {} ，请不要外传。",
        ],
    },
    "en": {
        "email": [
            "Questions? Write to {}.",
            "Send the form to {} before Friday.",
            "Our secretary ({}) keeps the list.",
        ],
        "cn_id": ["For the gate we need an ID number, for example {}.", "The speaker's Chinese ID card number is {}."],
        "mobile": ["Call Ms Li on {} if you get lost.", "The caretaker's mobile is {}.", "Text {} for a seat."],
        "landline": ["The office answers on {} in the morning.", "Ring {} to book.", "Telephone: {}, weekdays only."],
        "bank_card": ["Please pay the fee to card {}.", "Refunds go to the bank card {} on file.", "Card number: {}."],
        "credit_code": ["The host's unified social credit code is {}.", "Put credit code {} on the invoice."],
        "ip": [
            "Slides are on the server at {}.",
            "The stream runs on {}, port 8080.",
            "We blocked {} after many failed logins.",
        ],
        "wechat_id": [
            "Add me on WeChat: {}.",
            "The WeChat ID of the group's host is {}.",
            "WeChat ID: {}, please say who you are.",
        ],
        "qq": ["You can also reach us on QQ: {}.", "Our QQ number is {}.", "QQ group: {}, open to all."],
        "api_key": [
            "The demo uses the API key {} until tonight.",
            "Someone left {} in the script; revoke that key.",
            "api_key: {} (test only).",
        ],
    },
}

# What must not be taken for personal data; {id}, {card} and {code} are numbers whose check digits are wrong.
LOOK_ALIKES = {
    "zh": [
        "本次活动的流水号为 {id}。",
        "物料运单号：{card}。",
        "教材批次{code}已经入库。",
        "演示软件的版本是 10.0.19045.3803。",
        "固件请升级到 v4.1.12.3 再使用。",
        "参考书的书号为 ISBN 978-7-302-51234-9。",
        "圆周率取 3.14159265358979 就足够了。",
        "代码可用 git@git.demo-code.org:team/slides.git 克隆。",
        "示例类里用到了 @property 和 @staticmethod 装饰器。",
        "录制开始于 2024-03-15 08:30:00，时间戳是 1710491400。",
        "提交号 9fceb02d0ae598e95dc970b74767f19372d61af8 对应最终稿。",
        "文件编号为 550e8400-e29b-41d4-a716-446655440000。",
        "算一算 23456789012+34567890123=58024679135。",
        "微信支付和 QQ 音乐的用户都超过一亿。",
        "票价 3 张 @ 45.50 元，共 136.50 元。",
        "测得的长度为 0.13812345678 米。",
        "两种型号是 GB/T 32100-2015 和 HB-13800-2。",
        "样本量从 1949 年的 54167 增加到 2019 年的 140005。",
    ],
    "en": [
        "The reference of this event is {id}.",
        "Parcel {card} holds the handouts.",
        "Batch {code} of the textbook has arrived.",
        "The software shown is version 10.0.19045.3803.",
        "Please install firmware v4.1.12.3 first.",
        "The textbook is ISBN 978-0-306-40615-7.",
        "Using 3.14159265358979 for pi is precise enough.",
        "Clone the slides from git@git.demo-code.org:team/slides.git.",
        "The sample class uses @dataclass and @property.",
        "Recording started at 2024-03-15T08:30:00Z, or 1710491400.",
        "Commit 9fceb02d0ae598e95dc970b74767f19372d61af8 is the final draft.",
        "The file's number is 550e8400-e29b-41d4-a716-446655440000.",
        "For practice, add 23456789012 + 34567890123 = 58024679135.",
        "Tickets: 3 @ $4.50, that is $13.50.",
        "The rod measured 0.13812345678 m.",
        "See RFC 3986, section 5.1.2, and ISO 8601-1:2019.",
        "The sample grew from 54167 in 1949 to 140005 in 2019.",
        "The ratio 1/13 begins with 0.076923076923.",
    ],
}

NOTICES = {
    "zh": [
        "给“{}”讲座写一份通知，附上必要的信息。",
        "请起草一封关于“{}”学习小组的邮件。",
        "社区要办“{}”主题展览，帮我写说明。",
        "把“{}”公开课的要点和联络方式整理成一段话。",
        "为“{}”兴趣班拟一则招募启事。",
        "帮老师写“{}”课后的提醒短信，可以长一点。",
        "以图书馆的名义介绍“{}”读书会。",
    ],
    "en": [
        "Write a short notice for our evening about {}.",
        "Draft an e-mail to the study group on {}.",
        "Our library shows an exhibition about {}; write the leaflet.",
        "Summarise the open lesson on {} and add the practical details.",
        "We start a course on {}. Please write the invitation.",
        "Turn these notes on {} into a message for parents.",
        "Announce a podcast episode about {} to our members.",
    ],
}
BOTH = {
    "zh": [
        "请分别介绍一下{}和{}。",
        "我在准备板报，需要{}与{}两方面的内容。",
        "关于{}，还有{}，各讲几点好吗？",
        "用一段话先后说明{}和{}。",
    ],
    "en": [
        "Tell me a few things about {} and then about {}.",
        "I am writing a quiz with questions on {} and {}; give me material.",
        "What is worth knowing about {}, and what about {}?",
        "Please cover {} first and {} afterwards.",
    ],
}
PASSAGES = {
    "zh": ["下面这段话里哪一点最值得记住？", "读完材料，请挑出一句最重要的话。", "从短文中选一个适合做海报的句子。"],
    "en": [
        "Which point of the passage below is most worth remembering?",
        "Read the text and pick its most important sentence.",
        "Choose one sentence from this passage for a poster.",
    ],
}
SAME_ANSWER = {
    "zh": [
        ("鲸鱼属于哺乳动物，对吗？", "是的。"),
        ("六乘九是多少？", "54"),
        ("一副不含大小王的扑克牌再加两张共有几张？", "54"),
        ("水银在常温下是液体吗？", "是的。"),
        ("三原色光里有没有绿色？", "有。"),
        ("汉字“休”里面有没有“木”？", "有。"),
    ],
    "en": [
        ("Do bats belong to the mammals?", "Yes."),
        ("Nine times seven equals what?", "63"),
        ("How many squares are left when one is removed from a chessboard?", "63"),
        ("Is Canberra the capital of Australia?", "Yes."),
        ("Can sound travel through a vacuum?", "No."),
        ("Was Napoleon born in Paris?", "No."),
    ],
}
CLOSINGS = {
    "zh": ["希望这些说明对你有帮助。", "如果还想了解更多，可以继续问我。", "以上内容供参考。", "祝学习顺利。"],
    "en": [
        "I hope this helps.",
        "Let me know if you would like more.",
        "That covers the main points.",
        "Good luck with it.",
    ],
}
POLITE = {"zh": ["请问，", "你好，", "麻烦问一下，"], "en": ["Hello! ", "Quick question: ", "Please help me. "]}

# Words that can stand for each other nearly anywhere.
SYNONYMS = {
    "zh": [("许多", "很多"), ("可以", "能够"), ("大约", "约"), ("因此", "所以"), ("通常", "一般"), ("因为", "由于")],
    "en": [("about", "roughly"), ("nearly", "almost"), ("many", "lots of"), ("large", "big"), ("while", "whereas")],
}

HEAD_ADS = {
    "zh": [
        "点击上方蓝字关注我们，设为星标不迷路！",
        "点击关注公众号，每天收到一篇精彩文章！",
        "长按识别二维码，免费领取学习资料！",
        "扫码添加客服，限时优惠等你来拿！",
    ],
    "en": [
        "Subscribe to our newsletter for more articles like this!",
        "Click here to download our free guide now!",
        "Sign up today and get 20% off your first order!",
        "Advertisement: scroll down to continue reading.",
    ],
}
TAIL_ADS = {
    "zh": [
        "扫描下方二维码关注公众号，回复“资料”免费领取。",
        "觉得有用就点赞、在看、转发三连吧！",
        "本文转载自网络，版权归原作者所有，如有侵权请联系删除。",
        "点击左下角“阅读原文”查看更多精彩内容。",
        "商务合作请在后台留言，投稿欢迎联系小编。",
    ],
    "en": [
        "Follow us on Facebook, Twitter and Instagram for daily updates.",
        "Share this article with your friends and leave a comment below!",
        "Click here to read more articles on our website.",
        "Don't forget to like and subscribe to our channel!",
        "Copyright 2023. All rights reserved.",
    ],
}
URL_NOTES = {
    "zh": ["详情见 {} 的说明。", "原文链接：{}", "更多图片（{}）可供下载。"],
    "en": ["See {} for the details.", "Source: {}", "More pictures ({}) can be downloaded."],
}
