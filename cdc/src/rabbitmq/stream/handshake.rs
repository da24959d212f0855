//! The first words on a connection: who we are, how large a frame may be, how often somebody has to say something.

use std::{collections::HashMap, io};

use rabbitmq_stream_protocol::{
    FromResponse, Request, Response, ResponseCode,
    codec::Decoder as _,
    commands::{
        generic::GenericResponse,
        open::{OpenCommand, OpenResponse},
        peer_properties::{PeerPropertiesCommand, PeerPropertiesResponse},
        sasl_authenticate::SaslAuthenticateCommand,
        sasl_handshake::{SaslHandshakeCommand, SaslHandshakeResponse},
        tune::TunesCommand,
    },
};

use super::wire::{Reader, Writer};
use crate::rabbitmq::{
    Broker,
    cause::{Asked, Cause},
    external::External,
};

/// What both sides have agreed on. Nothing is limited where it is 0.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tuned {
    pub(super) frame_max: u32,
    pub(super) heartbeat_seconds: u32,
}

/// Both ends of a connection whose handshake is under way.
pub(super) struct Handshake<'a> {
    pub(super) reader: &'a mut Reader,
    pub(super) writer: &'a mut Writer,
    pub(super) broker: &'a Broker,
    /// What is known of a client certificate.
    pub(super) asked: Option<Asked>,
}

impl Handshake<'_> {
    /// Gives the connection `name`, authenticates, and opens the virtual host.
    pub(super) async fn shake(&mut self, name: &str) -> Result<Tuned, Cause> {
        let properties = [("product", "cdc"), ("connection_name", name)];
        let properties = properties.map(|(name, text)| (name.to_owned(), text.to_owned()));
        let properties = PeerPropertiesCommand::new(1, HashMap::from(properties));
        self.ask::<PeerPropertiesResponse>(properties).await?;
        let handshake: SaslHandshakeResponse = self.ask(SaslHandshakeCommand::new(2)).await?;
        self.log_in(handshake.mechanisms()).await?;
        let tuned = self.tune().await?;
        let open = OpenCommand::new(4, self.broker.vhost());
        let opened: OpenResponse = self.ask(open).await?;
        self.check(opened.code())?;
        Ok(tuned)
    }

    async fn log_in(&mut self, offered: &[String]) -> Result<(), Cause> {
        let (mechanism, data) = self.broker.sasl();
        if !offered.iter().any(|known| known == mechanism) {
            return Err(Cause::Mechanism(mechanism));
        }
        let login = SaslAuthenticateCommand::new(3, mechanism.to_owned(), data);
        let answer: GenericResponse = self.ask(login).await?;
        self.check(answer.code())
    }

    /// The broker proposes, without being asked.
    async fn tune(&mut self) -> Result<Tuned, Cause> {
        let proposed: TunesCommand = self.hear().await?;
        let heartbeat = self.broker.heartbeat_seconds();
        let tuned = Tuned {
            frame_max: proposed.max_frame_size,
            heartbeat_seconds: lower(proposed.heartbeat, heartbeat),
        };
        self.say(TunesCommand::new(tuned.frame_max, tuned.heartbeat_seconds))
            .await?;
        Ok(tuned)
    }

    fn check(&self, code: &ResponseCode) -> Result<(), Cause> {
        let login = self.broker.login();
        Err(match code {
            ResponseCode::Ok => return Ok(()),
            ResponseCode::SaslMechanismNotSupported => Cause::Mechanism(login.mechanism),
            ResponseCode::VirtualHostAccessFailure => Cause::VhostClosed {
                user: login.user.to_owned(),
                vhost: login.vhost.to_owned(),
                needs: Box::new(login.needs.clone()),
            },
            ResponseCode::AuthenticationFailure
            | ResponseCode::SaslError
            | ResponseCode::AuthenticationFailureLoopback
                if login.mechanism == External::NAME =>
            {
                Cause::CertificateUser
            }
            ResponseCode::AuthenticationFailure
            | ResponseCode::SaslError
            | ResponseCode::AuthenticationFailureLoopback => Cause::Credentials {
                user: login.user.to_owned(),
            },
            code => Cause::Network(format!("the broker answers {code:?}")),
        })
    }

    async fn ask<T: FromResponse>(&mut self, question: impl Into<Request>) -> Result<T, Cause> {
        self.say(question).await?;
        self.hear().await
    }

    async fn say(&mut self, request: impl Into<Request>) -> Result<(), Cause> {
        let written = self.writer.write(&request.into()).await;
        written.map_err(|error| Cause::of_stream(&error, self.asked))
    }

    async fn hear<T: FromResponse>(&mut self) -> Result<T, Cause> {
        let frame = match self.reader.frame().await {
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(Cause::NotStream);
            }
            frame => frame.map_err(|error| Cause::of_stream(&error, self.asked))?,
        };
        let (_, response) = Response::decode(frame).map_err(|_| Cause::NotStream)?;
        response.get().ok_or(Cause::NotStream)
    }
}

/// The lower one of two limits, each of which is none where it is 0.
fn lower(one: u32, other: u32) -> u32 {
    if one == 0 || other == 0 {
        one.max(other)
    } else {
        one.min(other)
    }
}
