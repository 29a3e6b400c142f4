//! The statement in Spanish.

use super::{Confidence, Coverage, Explanation, IncidentFact, Moment, StatementFacts, Time, Usable, Words};
use super::{is_about_requests, likelihood, minutes};

pub(super) struct Spanish;

const MONTHS: [&str; 12] = [
    "enero",
    "febrero",
    "marzo",
    "abril",
    "mayo",
    "junio",
    "julio",
    "agosto",
    "septiembre",
    "octubre",
    "noviembre",
    "diciembre",
];

fn date(at: jiff::civil::DateTime) -> String {
    let month = usize::try_from(at.month() - 1).ok().and_then(|month| MONTHS.get(month)).unwrap_or(&"");
    format!("{} de {month} de {}", at.day(), at.year())
}

fn clock(at: jiff::civil::DateTime) -> String {
    format!("{}:{:02}", at.hour(), at.minute())
}

/// `las 14:02`, `la 1:05`.
fn the_clock(at: jiff::civil::DateTime) -> String {
    format!("{} {}", if at.hour() == 1 { "la" } else { "las" }, clock(at))
}

fn lasting(minutes: u64) -> String {
    let many = |count: u64, one: &str| format!("{count} {one}{}", if count == 1 { "" } else { "s" });
    match (minutes / 60, minutes % 60) {
        (0, minutes) => many(minutes, "minuto"),
        (hours, 0) => many(hours, "hora"),
        (hours, minutes) => format!("{} y {}", many(hours, "hora"), many(minutes, "minuto")),
    }
}

impl Words for Spanish {
    fn what(&self, facts: &StatementFacts, time: &Time<'_>) -> String {
        let incident = &facts.incident;
        let (began, zone) = time.at(incident.onset_unix_s);
        // The role is in the words of the settings, which need not be Spanish.
        let site = format!("nuestro sitio web {}", facts.host);
        let (past, ongoing) = match incident.verdict {
            Explanation::Routine => ("tuvo problemas", "tiene problemas"),
            _ if is_about_requests(incident) => (
                "recibió muchas más solicitudes que de costumbre",
                "recibe muchas más solicitudes que de costumbre",
            ),
            _ => ("tuvo un tráfico fuera de lo común", "tiene un tráfico fuera de lo común"),
        };
        if incident.is_open {
            return format!("Desde {} ({zone}) del {}, {site} {ongoing}.", the_clock(began), date(began));
        }
        let Some(end) = incident.ended_unix_s else {
            return format!(
                "Desde {} ({zone}) del {}, {site} {past}; nuestros registros se interrumpen antes de que terminara.",
                the_clock(began),
                date(began)
            );
        };
        let (ended, end_zone) = time.at(end.saturating_add(1));
        let lasted = lasting(minutes(facts));
        if began.date() == ended.date() {
            format!(
                "El {}, {site} {past} de {} a {} ({zone}), durante {lasted}.",
                date(began),
                the_clock(began),
                the_clock(ended)
            )
        } else {
            format!(
                "Desde {} ({zone}) del {} hasta {} ({end_zone}) del {}, {site} {past}, durante {lasted}.",
                the_clock(began),
                date(began),
                the_clock(ended),
                date(ended)
            )
        }
    }

    fn judgement(&self, incident: &IncidentFact, which: Explanation, too: bool) -> String {
        let likely = likelihood(incident, which);
        let (word, percent) = (likely.word_in_spanish(), likely.percent());
        let also = if too { "también " } else { "" };
        match which {
            Explanation::Attack => {
                format!("Es {also}{word} ({percent} %) que alguien haya querido sobrecargarlo.")
            }
            Explanation::Crowd => {
                format!("Es {also}{word} ({percent} %) que muchas personas hayan entrado al mismo tiempo.")
            }
            Explanation::Routine => {
                let cause = incident.routine_cause.as_deref().filter(|_| !too).map(cause);
                let cause = cause.map(|cause| format!(": {cause}")).unwrap_or_default();
                format!("Es {also}{word} ({percent} %) que haya sido un problema común{cause}.")
            }
            Explanation::Unknown => "Aún no podemos decir por qué.".to_owned(),
        }
    }

    fn confidence(&self, confidence: Confidence, is_whole: bool, sources: u32) -> String {
        let data =
            if is_whole { "tenemos registros de cada minuto" } else { "faltan registros de algunos minutos" };
        let seen = match sources {
            0 => "nada más lo observó",
            1 => "lo observó una sola fuente, nuestro propio servidor",
            _ => "hay registros de nuestro servidor y comprobaciones desde fuera",
        };
        format!("Nuestra confianza en ello es {}: {data}, y {seen}.", confidence.word_in_spanish())
    }

    fn usable(&self, usable: Usable, percent: u16, goes_on: bool) -> String {
        let [when, reached, could, could_not] = if goes_on {
            ["Hasta ahora", "llegan", "pueden", "no pueden"]
        } else {
            ["Durante ese tiempo", "llegaron", "pudieron", "no pudieron"]
        };
        let answered = if goes_on { "se ha respondido" } else { "se respondió" };
        let share = format!("{answered} el {percent} % de las solicitudes de nuestros visitantes habituales");
        match usable {
            Usable::NearlyAll => format!(
                "{when}, las personas que {reached} a nuestro servidor {could} usar el sitio como siempre: {share}."
            ),
            Usable::Most => format!(
                "{when}, la mayoría de las personas que {reached} a nuestro servidor {could} usar el sitio: {share}."
            ),
            Usable::Some => format!("{when}, muchas personas {could_not} usar el sitio: {share}."),
            Usable::Few => format!("{when}, la mayoría de las personas {could_not} usar el sitio: {share}."),
            Usable::NotMeasured => {
                "No se midió cuántas personas pudieron usar el sitio en ese tiempo.".to_owned()
            }
        }
    }

    fn outside(&self, minutes_down: Option<u64>) -> String {
        match minutes_down {
            None => "No comprobamos desde fuera si todas las personas podían llegar a nuestro servidor."
                .to_owned(),
            Some(0) => "Las comprobaciones desde fuera llegaron al sitio en todo momento.".to_owned(),
            Some(minutes) => {
                format!("Las comprobaciones desde fuera no llegaron al sitio durante {}.", lasting(minutes))
            }
        }
    }

    fn cost(&self, goes_on: bool) -> String {
        if goes_on {
            "Algunos visitantes tienen que esperar, o dejar que se compruebe su navegador, antes de entrar."
        } else {
            "Algunos visitantes tuvieron que esperar, o dejar que se comprobara su navegador, antes de entrar."
        }
        .to_owned()
    }

    fn kept_apart(&self) -> &'static str {
        "El sitio está configurado para que las solicitudes de los visitantes no pasen a las redes internas de la oficina."
    }

    fn other_systems(&self) -> &'static str {
        "Nuestros registros tratan de este sitio web y no dicen nada de otros sistemas."
    }

    fn claim(&self, posted: &str, several: bool, verdict: Explanation) -> String {
        let but = match verdict {
            Explanation::Routine => "eso no muestra qué causó el problema",
            _ => "eso no muestra quién envió las solicitudes",
        };
        if several {
            format!("Varias publicaciones nombran este sitio como objetivo, la primera del {posted}; {but}.")
        } else {
            format!("Una publicación del {posted} nombra este sitio como objetivo; {but}.")
        }
    }

    fn records(&self, coverage: &Coverage) -> String {
        match coverage.minutes.saturating_sub(coverage.recorded) {
            0 => "Cada minuto de ese tiempo está registrado y se puede examinar.".to_owned(),
            1 => "Falta un minuto de ese tiempo en nuestros registros.".to_owned(),
            missing => format!("Faltan {missing} minutos de ese tiempo en nuestros registros."),
        }
    }

    fn just_begun(&self) -> &'static str {
        "Esto acaba de empezar, y el registro de su primer minuto no está completo."
    }

    fn not_known_who(&self, goes_on: bool) -> &'static str {
        if goes_on {
            "No sabemos quién envía las solicitudes."
        } else {
            "No sabemos quién envió las solicitudes."
        }
    }

    fn moment(&self, moment: Moment, time: &Time<'_>) -> String {
        let (at, zone) = time.at(moment.unix_s);
        match moment.precision_s {
            0..=60 => format!("{} a {} ({zone})", date(at), the_clock(at)),
            _ if moment.precision_s == 86_400 => date(Time(&jiff::tz::TimeZone::UTC).at(moment.unix_s).0),
            _ => format!("{} o posterior", date(at)),
        }
    }
}

fn cause(cause: &str) -> &str {
    match cause {
        "origin_down" => "el servidor que está detrás del sitio no respondió",
        "origin_slow" => "el servidor que está detrás del sitio respondió despacio",
        "origin_errors" => "el servidor que está detrás del sitio respondió con errores",
        "deploy" => "el sitio se había cambiado poco antes",
        "certificate" => "su certificado había caducado o no correspondía",
        "dns" => "no se podía consultar su nombre",
        "vendor" => "falló una parte del sitio, como cuando falla el servicio de un proveedor",
        "own_fault" => "a nuestro servidor le faltó capacidad",
        "own_defence" => "nuestra propia protección rechazó a personas",
        "crawler" => "una máquina que se identifica pidió demasiado",
        _ => "la causa está registrada",
    }
}
