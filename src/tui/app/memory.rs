//! What the next start shall look like.

use super::{App, Place, Tab};
use crate::tui::app::columns::Chosen;
use crate::tui::app::table::{SORTS, label};
use crate::tui::remembered::Remembered;
use crate::tui::units::Units;
use crate::window::{Dimension, Span};

impl App {
    pub fn remembered(&self) -> Remembered {
        // A way leads through rows that will be gone.
        let place = self.way.steps().is_empty().then(|| self.place());
        Remembered {
            view: place.map(|place| format!("{}, {}", place.tab.label(), place.dimension.label())),
            filter: Some(self.filter.text().to_owned()).filter(|text| !text.is_empty()),
            sort: Some(label(self.sort).to_owned()),
            span: Some(self.span.seconds()),
            units: Some(self.units.label().to_owned()),
            host_names: Some(self.labels.hosts),
            service_names: Some(self.labels.services),
            privacy: Some(self.labels.privacy),
            filters: self.filter.history().to_vec(),
            columns: self.columns.words(),
        }
    }

    /// Looks as it did last; what means nothing here is left as it is.
    pub fn restore(&mut self, remembered: Remembered) {
        let same = |one: &str, other: &Option<String>| other.as_deref() == Some(one);
        self.sort = SORTS.into_iter().find(|sort| same(label(*sort), &remembered.sort)).unwrap_or(self.sort);
        self.units = Units::ALL.into_iter().find(|units| same(units.label(), &remembered.units)).unwrap_or(self.units);
        self.span = Span::ALL.into_iter().find(|span| Some(span.seconds()) == remembered.span).unwrap_or(self.span);
        if let Some(place) = remembered.view.as_deref().and_then(place) {
            self.way.restart(place);
        }
        self.columns = Chosen::restore(&remembered.columns);
        let labels = &mut self.labels;
        labels.hosts = remembered.host_names.unwrap_or(labels.hosts);
        labels.services = remembered.service_names.unwrap_or(labels.services);
        labels.privacy = remembered.privacy.unwrap_or(labels.privacy);
        self.filter.remember(remembered.filters);
        match remembered.filter.map(|text| self.filter.set(&text, &labels.names)) {
            None | Some(Ok(_)) => {}
            // It may be of names that nobody knows yet.
            Some(Err(error)) => self.said = Some(format!("the filter to begin with is left out: {error}")),
        }
        self.arrange();
    }
}

fn place(text: &str) -> Option<Place> {
    let (tab, dimension) = text.split_once(", ")?;
    let tab = Tab::ALL.into_iter().find(|other| other.label() == tab)?;
    let is_it = |other: &&Dimension| other.label() == dimension;
    let dimension = tab.dimensions().iter().find(is_it)?;
    Some(Place { tab, dimension: *dimension })
}
