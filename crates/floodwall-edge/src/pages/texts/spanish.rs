//! Spanish, as public offices of the United States write it.

use std::time::Duration;

use super::{Estimate, OverloadTexts, PersonTexts, RefusalTexts, Texts, Words, grouped, rounded};

const TRY_AGAIN: &str =
    "Inténtelo de nuevo en unos segundos. Otras páginas del sitio quizás respondan de inmediato.";

pub(super) const TEXTS: Texts = Texts {
    reference: "Si necesita ayuda, mencione esta referencia:",
    kept_label: "Sobre esta página",
    kept_copy,
    refusals: RefusalTexts {
        too_many: Words {
            title: "Espere un momento, por favor",
            what: "Este sitio ha recibido muchísimas solicitudes desde su red en poco tiempo.",
            advice: "",
        },
        too_many_advice,
        unknown_host: Words {
            title: "Ese sitio no está aquí",
            what: "Este servidor no responde por la dirección que se pidió.",
            advice: "Revise la dirección en su navegador. Si llegó aquí por un enlace, avise a la oficina que lo publicó.",
        },
        undeclared_path: Words {
            title: "Esa página no está aquí",
            what: "Este sitio no tiene ninguna página en la dirección que se pidió.",
            advice: "Revise la dirección en su navegador o empiece por la página de inicio del sitio.",
        },
        method: Words {
            title: "Este tipo de solicitud no se acepta",
            what: "La solicitud usó un método que este sitio no acepta.",
            advice: "Abra la página con un navegador web común.",
        },
        blocked: Words {
            title: "Por ahora no se aceptan solicitudes desde su red",
            what: "Quienes administran este sitio han bloqueado la dirección de internet desde la que usted llega.",
            advice: "Muchas personas pueden compartir una dirección, así que quizá no se trate de usted. Pruebe otra conexión, como la de un teléfono, o llame a la oficina e indique la referencia de abajo.",
        },
        malformed: Words {
            title: "No se pudo entender la solicitud",
            what: "El servidor encontró este error:",
            advice: "Cargue la página de nuevo. Si eso no ayuda, borre las cookies de este sitio en su navegador o pruebe otro navegador.",
        },
        header_too_large: "El encabezado de la solicitud mide más de 64 KiB o tiene más de 128 campos.",
        moved_to_https: Words {
            title: "Este sitio se lee por una conexión segura",
            what: "Su navegador está pasando a la dirección segura de esta página.",
            advice: "Si no sucede nada, escriba https:// delante de la dirección en su navegador.",
        },
        loop_detected: Words {
            title: "No se puede mostrar esta página",
            what: "La solicitud regresó al servidor que la había enviado: su origen apunta a sí mismo.",
            advice: "Si usted administra este sitio, ejecute `floodwall check` y corrija el origen del sitio.",
        },
        not_cached: Words {
            title: "No hay copia guardada de esta página",
            what: "La solicitud pidió solo una copia guardada, y no hay ninguna.",
            advice: "Cargue la página de nuevo.",
        },
        origin_busy: Words {
            title: "Esta página está muy ocupada",
            what: "Muchísimas personas están pidiendo esta página ahora.",
            advice: TRY_AGAIN,
        },
        visitor_broke_off: Words {
            title: "Su solicitud no llegó completa",
            what: "El formulario o archivo que envió se interrumpió en el camino.",
            advice: "Vuelva atrás y envíelo de nuevo, por favor.",
        },
        origin_slow: Words {
            title: "Esta página tarda demasiado",
            what: "El servidor de este sitio no respondió a tiempo.",
            advice: TRY_AGAIN,
        },
        origin_down: Words {
            title: "Ahora no se puede mostrar esta página",
            what: "El servidor de este sitio no responde en este momento.",
            advice: TRY_AGAIN,
        },
    },
    overload: OverloadTexts {
        choice_title: "Un momento, por favor",
        waiting_title: "Usted está en la fila",
        why: "Este sitio funciona. Ahora mismo muchísimas personas o programas están pidiendo esta página, más de lo que puede responder a la vez.",
        no_fault: "Usted no ha hecho nada malo, y esta comprobación no guarda nada sobre usted.",
        work_heading: "La entrada rápida: un cálculo breve",
        work_what: "Nos ayuda a distinguir su navegador de los programas que saturan el sitio. Tarda unos segundos, y después se abre su página.",
        work_bar: "Cálculo",
        work_share: "Probado: # por ciento de las respuestas posibles",
        work_stop: "Detenerlo y solo esperar en la fila",
        work_start: "Empezar el cálculo",
        work_solved: "Listo. Su página se está abriendo.",
        work_stopped: "El cálculo está detenido. Usted sigue en la fila.",
        work_failed: "El cálculo no funciona en este navegador. Usted sigue en la fila.",
        work_no_cookie: "Este navegador no guarda cookies de este sitio, así que un cálculo no serviría. Usted sigue en la fila.",
        work_in_vain: "El cálculo se hizo varias veces, y cada vez volvió esta página. Ya no empieza por sí solo. Usted sigue en la fila.",
        wait_heading: "Su lugar en la fila",
        place_new: "Usted ya está en la fila.",
        place,
        wait_what,
        ask_again: "Preguntar de nuevo ahora",
        turn: "Es su turno. Su página se está abriendo.",
        no_room: Words {
            title: "No hay lugar en este momento",
            what: "Este sitio funciona. Ahora mismo tantas personas o programas están pidiendo esta página que no pudo responderle a tiempo.",
            advice: "Usted no ha hecho nada malo. Otras páginas del sitio quizás se abran de inmediato.",
        },
        over_share: Words {
            title: "Demasiadas solicitudes desde su red",
            what: "Este sitio funciona, pero está muy ocupado, y desde su red llegan muchísimas solicitudes.",
            advice: "Usted no tiene por qué haber hecho nada malo: en una oficina, una biblioteca o una red móvil, muchas personas comparten una dirección. Si esperar no ayuda, pruebe otra conexión, por ejemplo datos móviles en lugar de Wi-Fi.",
        },
        busy_again,
        busy_form,
    },
    person: PersonTexts {
        what: "¿Es usted una persona y no puede entrar? Avise a quienes administran este sitio.",
        button: "Soy una persona y no puedo entrar",
        thanks: Words {
            title: "Gracias por avisarnos",
            what: "Su aviso fue contado. A quienes administran este sitio se les muestra cuántas personas avisan.",
            advice: "Su lugar en la fila, si tiene uno, no se pierde. Si es urgente, llame a la oficina que administra este sitio y mencione la referencia.",
        },
        back: "Volver a la página",
    },
};

fn seconds(count: u64) -> String {
    if count == 1 { "1 segundo".to_owned() } else { format!("{count} segundos") }
}

fn too_many_advice(wait: u64) -> String {
    format!(
        "Espere {} y cargue la página de nuevo. Usted no ha hecho nada malo: es posible que otras personas o \
         programas de su red también estén usando este sitio.",
        seconds(wait)
    )
}

fn place(ahead: u64, expected: Duration) -> String {
    let before = match ahead {
        0 => "No hay nadie antes de usted.".to_owned(),
        1 => "Hay una persona antes de usted.".to_owned(),
        2..=10 => format!("Hay {ahead} personas antes de usted."),
        _ => format!("Hay unas {} personas antes de usted.", grouped(rounded(ahead))),
    };
    let takes = match Estimate::of(expected) {
        Estimate::FewSeconds => "Faltan unos segundos.".to_owned(),
        Estimate::Seconds(seconds) => format!("Faltan unos {seconds} segundos."),
        Estimate::Minutes(1) => "Falta cerca de un minuto.".to_owned(),
        Estimate::Minutes(minutes) => format!("Faltan unos {minutes} minutos."),
        Estimate::Hours(1) => "Falta cerca de una hora.".to_owned(),
        Estimate::Hours(hours) => format!("Pueden faltar hasta {hours} horas."),
        Estimate::Long => "Faltan más de 2 horas. Quizás prefiera volver más tarde.".to_owned(),
    };
    format!("{before} {takes}")
}

fn wait_what(refresh: u64) -> String {
    let each = if refresh == 1 { "segundo".to_owned() } else { seconds(refresh) };
    format!(
        "Deje esta página abierta. Pregunta de nuevo por sí sola cada {each} y abre su página cuando sea su turno."
    )
}

fn busy_again(wait: u64) -> String {
    format!("Esta página pregunta de nuevo por sí sola en {}.", seconds(wait))
}

fn busy_form(wait: u64) -> String {
    format!(
        "Lo que usted envió no se procesó. Espere {}, vuelva atrás en su navegador y envíelo de nuevo.",
        seconds(wait)
    )
}

fn kept_copy(time: &str, age_s: i64) -> String {
    let (minutes, hours) = (age_s / 60, age_s / 3_600);
    let when = match minutes {
        ..2 => format!("de las {time}, hace un momento"),
        2..120 => format!("de las {time}, hace {minutes} minutos"),
        120..2_880 => format!("de las {time}, hace {hours} horas"),
        _ => format!("de hace {} días", hours / 24),
    };
    format!(
        "Esta página es una copia guardada {when}. El servidor de este sitio no responde en este momento, así que \
         algo puede haber cambiado desde entonces."
    )
}
